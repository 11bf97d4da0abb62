"""Which parameters of a network are its head: what is made for the task, and the last stage.

A timm model names its classifier. A transformers ``AutoModelFor...`` has its head outside its base model; where it is
its own base model (T5, generation) the head is the output embedding, and failing that what is registered after the
last list of blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import nn

from tlx.backbones.partition.blocks import block_prefixes

# Detectors call these between the layers of their decoder, so they are registered there: only their names tell.
_BOX_HEADS = re.compile(r"(^|\.)(class_embed|bbox_embed)\.")


def head_names(model: nn.Module) -> list[str]:
    """Names of the head's parameters, tied ones too; empty for a bare backbone."""
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    if hasattr(model, "get_classifier"):
        return _inside(model, model.get_classifier())  # type: ignore[operator]
    if not hasattr(model, "base_model_prefix"):
        return []
    base = str(model.base_model_prefix)
    chosen: list[str] = []
    if base and isinstance(getattr(model, base, None), nn.Module):
        chosen = [name for name in names if not name.startswith(f"{base}.")]
    if "Detection" in type(model).__name__:
        chosen = [name for name in names if name in set(chosen) or _BOX_HEADS.search(name)]
    return chosen or _inside(model, _output_embeddings(model)) or _last_children(model, names)


def _inside(model: nn.Module, part: object) -> list[str]:
    """Names below the given module or modules."""
    parts = part if isinstance(part, (tuple, list)) else [part]
    wanted = {id(module) for one in parts if isinstance(one, nn.Module) for module in one.modules()}
    return [
        f"{path}.{name}".lstrip(".")
        for path, module in model.named_modules(remove_duplicate=False)
        if id(module) in wanted
        for name, _ in module.named_parameters(recurse=False)
    ]


def _output_embeddings(model: nn.Module) -> object:
    get = getattr(model, "get_output_embeddings", None)
    try:
        return get() if get is not None else None
    except (AttributeError, NotImplementedError):  # transformers' ways to say that there are none
        return None


def _last_children(model: nn.Module, names: list[str]) -> list[str]:
    """What a ``...For...`` model registers after its last list of blocks, at the outermost level that has any."""
    prefixes = list(block_prefixes(model))
    if "For" not in type(model).__name__ or not prefixes:
        return []
    own = dict(model.named_parameters(remove_duplicate=False))
    for level in _levels(prefixes[-1]):
        holder = model.get_submodule(level)
        children = [f"{level}.{name}".lstrip(".") for name, _ in holder.named_children()]
        last = max(i for i, child in enumerate(children) if any(f"{p}.".startswith(f"{child}.") for p in prefixes))
        after = [name for name in names if any(name.startswith(f"{child}.") for child in children[last + 1 :])]
        if any(own[name].ndim > 1 for name in after):  # a lone norm layer is no head
            return after
    return []


def _levels(path: str) -> Iterator[str]:
    """ "" , ``a``, ``a.b`` for ``a.b.c``."""
    words = path.split(".")
    yield from (".".join(words[:depth]) for depth in range(len(words)))
