"""Cut any network into stages: the ordered units of freezing, shallow to deep, the head last.

A stage is a list of parameter names. Together the stages hold every parameter exactly once, by identity, so a
tensor tied into two places belongs to the first stage that uses it. timm models are cut by their own fine
``group_matcher``; everything else by its block lists: a ``ModuleList`` or ``Sequential`` whose children look alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

HEAD = "head"
_SAME = 0.5  # a list is a block list when more than this share of its children are of one class


@dataclass(frozen=True)
class Stage:
    """A named run of parameters of ``model``."""

    name: str
    model: nn.Module
    names: tuple[str, ...]

    def parameters(self) -> list[nn.Parameter]:
        """The stage's parameters, in registration order."""
        own = dict(self.model.named_parameters(remove_duplicate=False))
        return [own[name] for name in self.names]

    @property
    def count(self) -> int:
        """How many numbers the stage holds."""
        return sum(parameter.numel() for parameter in self.parameters())


def stages(model: nn.Module) -> list[Stage]:
    """The stages of a bare backbone, of a timm model with its classifier, or of a task's ``backbone`` + ``head``."""
    backbone, head = getattr(model, "backbone", None), getattr(model, "head", None)
    if isinstance(backbone, nn.Module) and isinstance(head, nn.Module) and not hasattr(model, "group_matcher"):
        groups = [(name, [f"backbone.{p}" for p in names]) for name, names in _cut(backbone)]
        groups.append((HEAD, [f"head.{name}" for name, _ in head.named_parameters()]))
    else:
        groups = _cut(model)
    cut = [Stage(name, model, tuple(names)) for name, names in groups]
    verify(model, cut)
    return cut


def verify(model: nn.Module, cut: list[Stage]) -> None:
    """Raise :class:`ValueError` unless the stages hold every parameter exactly once, by identity."""
    held = [id(parameter) for stage in cut for parameter in stage.parameters()]
    if len(held) != len(set(held)):
        raise ValueError("a parameter lies in two stages")
    if set(held) != {id(parameter) for parameter in model.parameters()}:
        raise ValueError("a parameter lies in no stage")


Group = tuple[str, list[str]]


def _cut(model: nn.Module) -> list[Group]:
    names = [name for name, _ in model.named_parameters()]  # tied tensors once, at their first name
    if not names:
        return []
    groups = _by_timm(model) if hasattr(model, "group_matcher") else []
    groups = groups or _by_blocks(model)
    return _named([[name for name in group if name in set(names)] for group in groups], _classifier(model))


def _by_timm(model: nn.Module) -> list[list[str]]:
    from timm.models import group_parameters

    groups = group_parameters(model, model.group_matcher(coarse=False))  # type: ignore[operator]
    return [groups[key] for key in sorted(groups)]


def _classifier(model: nn.Module) -> set[str]:
    """Names of a timm model's own classifier; empty without one."""
    if not hasattr(model, "get_classifier"):
        return set()
    classifier = model.get_classifier()  # type: ignore[operator]
    if not isinstance(classifier, nn.Module):
        return set()
    inside = {id(parameter) for parameter in classifier.parameters()}
    return {name for name, parameter in model.named_parameters() if id(parameter) in inside}


def _by_blocks(model: nn.Module) -> list[list[str]]:
    """Blocks of the outermost block lists; the parameters between two lists form a run of their own."""
    owner: dict[str, str] = {}
    for prefix in _block_prefixes(model, ""):
        for name, _ in model.named_parameters():
            if name.startswith(f"{prefix}."):
                owner[name] = prefix
    groups: list[list[str]] = []
    last: str | None = None
    embeddings = _embedding_names(model)
    names = [name for name, _ in model.named_parameters()]
    for name in [*(n for n in names if n in embeddings), *(n for n in names if n not in embeddings)]:
        where = owner.get(name, "embeddings" if not owner and name in embeddings else "")
        if last is None or where != last:
            groups.append([])
        groups[-1].append(name)
        last = where
    return _inputs_first(model, groups, owner) if owner else groups


def _inputs_first(model: nn.Module, groups: list[list[str]], owner: dict[str, str]) -> list[list[str]]:
    """A run that holds an embedding table feeds the blocks wherever it is registered, as DeBERTa's positions are."""
    tables = {id(p) for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters(recurse=False)}
    own = dict(model.named_parameters())
    late = [g for g in groups[1:] if g[0] not in owner and any(id(own[name]) in tables for name in g)]
    moved = [name for group in late for name in group]
    return [groups[0] + moved, *(group for group in groups[1:] if group not in late)]


def _block_prefixes(module: nn.Module, path: str) -> Iterator[str]:
    for name, child in module.named_children():
        inner = f"{path}.{name}" if path else name
        if isinstance(child, (nn.ModuleList, nn.Sequential)) and len(child) > 1:
            if _alike(child):
                yield from (f"{inner}.{i}" for i, _ in child.named_children())
                continue
            nested = list(_block_prefixes(child, inner))
            if nested:
                yield from nested
                continue
        yield from _block_prefixes(child, inner)


def _alike(children: nn.Module) -> bool:
    """Are most children of one class, with parameters, and themselves made of parts?"""
    kinds = [type(child) for child in children.children() if any(True for _ in child.parameters())]
    composite = [kind for child in children.children() if any(True for _ in child.children()) for kind in [type(child)]]
    if len(kinds) < 2 or not composite:
        return False
    common = max(set(composite), key=composite.count)
    return kinds.count(common) > _SAME * len(kinds)


def _embedding_names(model: nn.Module) -> set[str]:
    """Input embeddings come first, wherever they are registered."""
    get = getattr(model, "get_input_embeddings", None)
    if get is None:
        return set()
    try:
        table = get()
    except NotImplementedError:  # what transformers raises for a model without a table of input embeddings
        return set()
    inside = {id(parameter) for parameter in table.parameters()} if isinstance(table, nn.Module) else set()
    return {name for name, parameter in model.named_parameters() if id(parameter) in inside}


def _named(groups: list[list[str]], classifier: set[str]) -> list[Group]:
    """``stem``, then blocks by their module path, ``neck`` for what follows the last block, ``head``."""
    bodies = [[name for name in group if name not in classifier] for group in groups]
    bodies = [group for group in bodies if group]
    labels: list[str] = []
    for i, group in enumerate(bodies):
        label = _block(_common(group)) or _block(group[0]) or ("neck" if i == len(bodies) - 1 else _common(group))
        if i == 0 and len(bodies) > 1:
            label = "stem"
        labels.append(label if label and label not in labels else f"{label or 'part'}.{i}")
    named = list(zip(labels, bodies, strict=True))
    if classifier:
        named.append((HEAD, [name for group in groups for name in group if name in classifier]))
    return named


def _block(path: str) -> str:
    """``blocks.3`` of ``blocks.3.norm.weight``: the path up to its last number; empty without one."""
    words = path.split(".")
    numbered = [i for i, word in enumerate(words) if word.isdigit()]
    return ".".join(words[: numbered[-1] + 1]) if numbered else ""


def _common(names: list[str]) -> str:
    """The module path all names share."""
    paths = [name.split(".")[:-1] for name in names]
    shared: list[str] = []
    for words in zip(*paths, strict=False):
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    return ".".join(shared)
