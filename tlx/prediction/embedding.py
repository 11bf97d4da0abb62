"""Which features of a backbone are asked for, and those of each example."""

from __future__ import annotations

from torch import Tensor

from tlx.backbones.backbone import Backbone, Form
from tlx.config.errors import ConfigError, ConfigIssue


def checked_form(backbone: Backbone, depth: int, form: Form | None) -> Form:
    """The form of features at a depth.

    Args:
        backbone: It gives some forms at some depths.
        depth: A block, counted from the input, or from the end where negative.
        form: None: the vector at the last depth, the backbone's other form at others.

    Raises:
        ConfigError: The backbone does not give it there.
    """
    gives = backbone.gives
    others = sorted(gives - {"vector", "whole"})
    wanted: Form = form or ("vector" if depth == -1 or not others else others[0])
    if wanted not in gives or wanted == "whole" or (wanted == "vector" and depth != -1):
        message = f"this backbone gives {', '.join(sorted(gives))}; a vector at depth -1 alone"
        raise ConfigError([ConfigIssue("features", message, f"{wanted} at depth {depth}")])
    count = len(backbone.widths.get(wanted, ()))
    if wanted != "vector" and count and not -count <= depth < count:
        raise ConfigError([ConfigIssue("depth", f"expected {-count} to {count - 1}", depth)])
    return wanted


def of_each(features: Tensor, mask: Tensor | None) -> list[Tensor]:
    """The features of each example; of tokens those alone that are no padding."""
    rows = list(features.float().cpu())
    if mask is None or mask.shape != features.shape[:2]:
        return rows
    return [row[keep] for row, keep in zip(rows, mask.cpu().bool(), strict=True)]


def pooled(one: Tensor) -> Tensor:
    """A vector [width]: the mean of a map over its places, of tokens over them; a vector stays."""
    if one.ndim == 3:
        return one.mean((1, 2))
    return one.mean(0) if one.ndim == 2 else one
