"""From parts to stages: blocks stay whole, the modules between them join into runs, all in the order of use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from tlx.backbones.partition.blocks import Part

_LARGE = 0.5


@dataclass
class Group:
    """The parameters of a stage to be; ``block`` is its path where it is a block."""

    block: str
    names: list[str]
    tower: str = ""
    name: str = ""


def order_stages(model: nn.Module, found: list[Part], times: Mapping[str, int], single: bool) -> list[Group]:
    """Groups in order of first use by ``times``; without these in order of registration, input tables first.

    ``single`` is false inside one of several towers, whose inputs the model cannot name.
    """
    groups = [Group(part.block, part.names) for part in found]
    if times:
        runs = _joined(in_order(groups, times))
    else:
        tables = _input_tables(model) if single else set()
        runs = _joined(sorted(groups, key=lambda group: not (tables & set(group.names))))
        runs = _late_tables_first(model, runs)
    own = dict(model.named_parameters(remove_duplicate=False))
    total = sum({id(own[name]): own[name].numel() for group in runs for name in group.names}.values())
    blocks = any(group.block for group in runs)
    pieces = [piece for group in runs for piece in _split(model, group, total, blocks)]
    return in_order(pieces, times) if times else pieces


def in_order(groups: list[Group], times: Mapping[str, int]) -> list[Group]:
    """Sorted by first use. What a block uses while it runs comes before it; what is not used stays where it was."""
    spans = [
        (min(used), max(used)) for group in groups if group.block and (used := _used(group, times))
    ]  # of blocks, from the first use of one of their parameters to the last
    keys: list[float] = []
    for group in groups:
        first = min(_used(group, times), default=None)
        if first is None:
            keys.append(keys[-1] if keys else -1)
        else:
            around = [start for start, end in spans if start < first < end and not group.block]
            keys.append(min(around) - 0.5 if around else first)
    order = sorted(range(len(groups)), key=lambda i: keys[i])
    return [groups[i] for i in order]


def _used(group: Group, times: Mapping[str, int]) -> list[int]:
    return [times[name] for name in group.names if name in times]


def _joined(groups: list[Group]) -> list[Group]:
    """Neighbours that are no blocks, as one run."""
    runs: list[Group] = []
    for group in groups:
        if runs and not runs[-1].block and not group.block:
            runs[-1] = Group("", runs[-1].names + group.names)
        else:
            runs.append(group)
    return runs


def _late_tables_first(model: nn.Module, runs: list[Group]) -> list[Group]:
    """An embedding table after the last block feeds the blocks all the same, as DeBERTa's positions do."""
    tables = _tables(model)
    if len(runs) > 2 and not runs[0].block and not runs[-1].block and tables & set(runs[-1].names):
        return [Group("", runs[0].names + runs[-1].names), *runs[1:-1]]
    return runs


def _split(model: nn.Module, run: Group, total: int, blocks: bool) -> list[Group]:
    """A run that holds most of the network, by module children.

    Beside blocks it stays whole where one module is most of it, or embedding tables are: nothing would be gained.
    """
    own = dict(model.named_parameters(remove_duplicate=False))
    sizes: dict[str, int] = {}
    for name in run.names:
        holder = name.rpartition(".")[0]
        sizes[holder] = sizes.get(holder, 0) + own[name].numel()
    size, common = sum(sizes.values()), common_path(run.names)
    tables = _tables(model)
    looked_up = sum(own[name].numel() for name in run.names if name in tables)
    lumped = blocks and max(looked_up, *sizes.values()) > _LARGE * size
    if run.block or size <= _LARGE * total or lumped or _is_element(model, common):
        return [run]
    depth = len(common.split(".")) if common else 0
    pieces: dict[str, Group] = {}
    for name in run.names:
        words = name.split(".")
        key = ".".join(words[: depth + 1]) if len(words) > depth + 1 else ""
        pieces.setdefault(key, Group("", [])).names.append(name)
    if len(pieces) < 2:
        return [run]
    return [smaller for piece in pieces.values() for smaller in _split(model, piece, total, blocks)]


def _is_element(model: nn.Module, path: str) -> bool:
    """Is it, or does it lie in, a member of a ``ModuleList``, which is a block although it has no like?"""
    words = path.split(".")
    return any(isinstance(model.get_submodule(".".join(words[:i])), nn.ModuleList) for i in range(1, len(words)))


def _tables(model: nn.Module) -> set[str]:
    """Names of embedding tables."""
    return {
        f"{path}.{name}".lstrip(".")
        for path, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, nn.Embedding)
        for name, _ in module.named_parameters(recurse=False)
    }


def _input_tables(model: nn.Module) -> set[str]:
    """Names of the input embeddings, which come first wherever they are registered."""
    owner = next((module for module in model.modules() if hasattr(module, "get_input_embeddings")), None)
    try:
        table = owner.get_input_embeddings() if owner is not None else None  # type: ignore[operator]
    except (AttributeError, NotImplementedError):  # transformers' ways to say that there is none
        return set()
    inside = {id(parameter) for parameter in table.parameters()} if isinstance(table, nn.Module) else set()
    return {name for name, parameter in model.named_parameters() if id(parameter) in inside}


def common_path(names: list[str]) -> str:
    """The module path all names share."""
    shared: list[str] = []
    for words in zip(*(name.split(".")[:-1] for name in names), strict=False):
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    return ".".join(shared)
