"""The names timm knows, read from its source files: importing timm takes seconds, this takes a blink."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_REGISTERED = re.compile(rb"^@register_model\s*\ndef\s+(\w+)\s*\(", re.MULTILINE)


@cache
def timm_architectures() -> frozenset[str]:
    """Every architecture registered with timm's ``@register_model``, without pretrained tags."""
    spec = find_spec("timm")
    if spec is None or spec.origin is None:
        return frozenset()
    models = Path(spec.origin).parent / "models"
    return frozenset(name.decode() for file in models.glob("*.py") for name in _REGISTERED.findall(file.read_bytes()))
