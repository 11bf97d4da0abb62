"""The states that a power cut may leave of a traced command: enumerated, counted, and put on the disk again.

With few things uncertain at one point, all combinations are taken. Above :data:`BOUND` of them: every choice of one
folder (the others have all, or only what is certain) with all files in one condition; every condition of one file, the
others whole or absent; and some random draws. What is left out is counted. States that come out the same are one.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from disk import CONDITIONS, Choice, Tree
from shim import Call

BOUND = 64  # combinations at one point
DRAWS = 16  # random ones above it


@dataclass(frozen=True)
class State:
    """One tree that may be found after a power cut; ``point``: so many calls had been made."""

    digest: str
    point: int
    choice: Choice
    boundary: bool  # not in the middle of one file's writes


def choices(tree: Tree, draws: random.Random) -> tuple[list[Choice], int]:
    """Combinations of what is not certain now, and how many more there are."""
    options = tree.options()
    total = 1
    for _, every in options:
        total *= len(every)
    numbers = [number for number, _ in options]
    if total <= BOUND:
        return [dict(zip(numbers, one, strict=True)) for one in itertools.product(*(o for _, o in options))], 0
    folders = [(number, every) for number, every in options if isinstance(every, range)]
    files = [(number, every) for number, every in options if not isinstance(every, range)]
    ways: list[Choice] = [{number: 0 for number, _ in folders}]
    ways += [{number: how} for number, every in folders for how in every]
    ways += [{**ways[0], number: how} for number, every in folders for how in every]
    alike = [{number: c if c in every else "absent" for number, every in files} for c in CONDITIONS]
    single = [{**alike[base], number: how} for base in (0, 1) for number, every in files for how in every]
    found = [{**way, **one} for way in ways for one in alike] + single
    found += [{number: draws.choice(every) for number, every in options} for _ in range(DRAWS)]
    full = [{number: one.get(number, every[0]) for number, every in options} for one in found]
    unique = {tuple(one.values()): one for one in full}
    return list(unique.values()), total - len(unique)


def states(root: Path, calls: Sequence[Call], seed: int = 0) -> tuple[dict[str, State], int]:
    """Every state that may be found, by its hash, and how many combinations were left out."""
    tree, found, left_out = Tree(root), dict[str, State](), 0
    for point in range(len(calls) + 1):
        boundary = not (0 < point < len(calls) and _continues(calls[point - 1], calls[point]))
        some, more = choices(tree, random.Random(seed * 1_000_003 + point))
        left_out += more
        for choice in some:
            digest = tree.digest(choice)
            if digest not in found or (boundary and not found[digest].boundary):
                found[digest] = State(digest, point, choice, boundary)
        if point < len(calls):
            tree.apply(calls[point])
    return found, left_out


def _continues(before: Call, after: Call) -> bool:
    return before.kind == after.kind == "w" and before.inode == after.inode


def complete(root: Path, calls: Iterable[Call]) -> tuple[list[Call], list[str]]:
    """All calls, with the renames between them that a library made without libc; and these in words."""
    tree, found, said = Tree(root), list[Call](), list[str]()
    for call in calls:
        for one in filter(None, (tree.unseen(call), call)):
            if one is not call:
                said.append(str(one))
            tree.apply(one)
            found.append(one)
    return found, said


def after(root: Path, calls: Sequence[Call]) -> Tree:
    """The tree after these calls."""
    tree = Tree(root)
    for call in calls:
        tree.apply(call)
    return tree
