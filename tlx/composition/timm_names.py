"""The names timm knows, read from its source files: importing timm takes seconds, this takes a blink."""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_REGISTERED = re.compile(rb"^@register_model\s*\ndef\s+(\w+)\s*\(", re.MULTILINE)


def timm_architectures() -> frozenset[str]:
    """Every architecture of timm without pretrained tags, those that plugins have registered with it included."""
    models = sys.modules.get("timm.models")  # a plugin that has registered one has imported it
    return _shipped() | frozenset(models.list_models() if models is not None else ())


@cache
def _shipped() -> frozenset[str]:
    """Those of timm's own files, where ``@register_model`` stands before them."""
    spec = find_spec("timm")
    if spec is None or spec.origin is None:
        return frozenset()
    models = Path(spec.origin).parent / "models"
    return frozenset(name.decode() for file in models.glob("*.py") for name in _REGISTERED.findall(file.read_bytes()))
