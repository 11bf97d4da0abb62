"""The optimizers that can train many heads side by side, and the arguments they may have."""

RULES: dict[str, tuple[str, ...]] = {"adamw": ("betas", "eps"), "adam": ("betas", "eps"), "sgd": ()}
