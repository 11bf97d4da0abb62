"""Values by their path: of a trial, or of its configuration while something is still missing."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf


def select(config: Any, key: str) -> Any:
    """The value at a dotted path; None where it, or a part on the way to it, is not there."""
    if isinstance(config, DictConfig):
        return OmegaConf.select(config, key)
    for name in key.split("."):
        config = config[int(name)] if name.isdigit() else getattr(config, name, None)
        if config is None:
            return None
    return config
