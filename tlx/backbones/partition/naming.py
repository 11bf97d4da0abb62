"""Names of stages: ``stem``, blocks by their module path, ``neck`` for what follows the last block."""

from __future__ import annotations

from itertools import groupby

from tlx.backbones.partition.order_stages import Group, common_path
from tlx.backbones.partition.stage import HEAD


def named(groups: list[Group]) -> list[Group]:
    """The groups with unique names, none of them ``head``; those of a tower begin with its name."""
    found: list[Group] = []
    taken = {HEAD, ""}
    for tower, run in groupby(groups, key=lambda group: group.tower):
        own = list(run)
        for i, group in enumerate(own):
            others = [name for other in own if other is not group for name in other.names]
            label = _label(group, i, len(own), bool(tower) or not any(g.tower for g in groups), others)
            label = f"{tower}.{label}" if tower and label in ("stem", "neck") else label
            if label in taken:
                label = f"{label or 'part'}.{len(found)}"
            taken.add(label)
            found.append(Group(group.block, group.names, tower, label))
    return found


def _label(group: Group, index: int, count: int, from_input: bool, others: list[str]) -> str:
    if index == 0 and count > 1 and from_input:
        return "stem"
    path = common_path(group.names)
    block = group.block or _block(path) or _block(group.names[0])
    if block or index == count - 1:
        return block or "neck"
    if path and not any(name.startswith(f"{path}.") for name in others):
        return path
    return group.names[0].rpartition(".")[0] or group.names[0]  # what they share, others share too


def _block(path: str) -> str:
    """``blocks.3`` of ``blocks.3.norm.weight``: the path up to its last number; empty without one."""
    words = path.split(".")
    numbered = [i for i, word in enumerate(words) if word.isdigit()]
    return ".".join(words[: numbered[-1] + 1]) if numbered else ""
