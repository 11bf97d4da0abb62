"""Splits that keep apart what belongs together: whole groups go to one part, classes in proportion as near as can be.

The greedy rule of scikit-learn's ``StratifiedGroupKFold``, for parts of any shares: groups whose classes are most
uneven go first, each to where the shares of the classes come out most even. Numbers are drawn from NumPy's
``RandomState``, whose stream is frozen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tlx.columns.reading import Indices

_DIGITS = 9  # of what is compared: rounding differs between machines


def dealt(
    units: Indices, labels: NDArray[np.int64] | None, shares: NDArray[np.float64], seed: int
) -> NDArray[np.int64]:
    """Give each example to a part, all of a unit to the same one.

    Args:
        units: The unit of each example [examples].
        labels: The class of each, whose shares come out as even as can be; None: the sizes of the parts do.
        shares: Of the parts, which add up to 1.
        seed: Of ``RandomState``.

    Returns:
        The part of each example [examples]; none is empty.

    Raises:
        ValueError: There are fewer units than parts.
    """
    _, kinds = np.unique(units, return_inverse=True)
    sizes = np.bincount(kinds)
    if len(sizes) < len(shares):
        raise ValueError(f"{len(sizes)} cannot be given to {len(shares)} parts")
    strata = np.zeros(len(units), dtype=np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
    rng = np.random.RandomState(seed)
    members = np.split(np.argsort(kinds, kind="stable"), np.cumsum(sizes)[:-1])
    part = np.full(len(sizes), -1, dtype=np.int64)
    fill = _deal_groups(
        part, [members[i] for i in np.flatnonzero(sizes > 1)], np.flatnonzero(sizes > 1), strata, shares, rng
    )
    _deal_singles(part, np.flatnonzero(sizes == 1), strata[[own[0] for own in members]], fill, strata, shares, rng)
    for empty in np.setdiff1d(np.arange(len(shares)), part):
        fullest = np.bincount(part, minlength=len(shares)).argmax()
        theirs = np.flatnonzero(part == fullest)
        part[theirs[sizes[theirs].argmin()]] = empty
    return part[kinds]


def _deal_groups(
    part: NDArray[np.int64],
    members: list[Indices],
    numbers: NDArray[np.int64],
    strata: NDArray[np.int64],
    shares: NDArray[np.float64],
    rng: np.random.RandomState,
) -> NDArray[np.float64]:
    """Give each unit of several examples to a part; returns how many of each class a part has [parts, classes]."""
    totals = np.bincount(strata)
    fill = np.zeros((len(shares), len(totals)))
    mixed = rng.permutation(len(members))
    counts = [np.bincount(strata[members[i]], minlength=len(totals)) for i in mixed]
    uneven = np.array([own.std() if len(totals) > 1 else own.sum() for own in counts], dtype=np.float64)
    wanted = totals * shares[:, None]
    each = np.eye(len(shares))[:, :, None]
    for at in np.argsort(-uneven.round(_DIGITS), kind="stable"):
        tried = (fill + each * counts[at]) / wanted  # [part it goes to, parts, classes]
        evenness = tried.std(axis=1).mean(axis=1).round(_DIGITS)
        held = (fill.sum(1) / shares).round(_DIGITS)
        chosen = np.lexsort((held, evenness))[0]
        fill[chosen] += counts[at]
        part[numbers[mixed[at]]] = chosen
    return fill


def _deal_singles(
    part: NDArray[np.int64],
    numbers: NDArray[np.int64],
    kinds: NDArray[np.int64],
    fill: NDArray[np.float64],
    strata: NDArray[np.int64],
    shares: NDArray[np.float64],
    rng: np.random.RandomState,
) -> None:
    """Give examples that are a unit alone to where their class is short of.

    What does not go up evenly goes to the part that all classes together have left shortest, in a random order.
    """
    totals = np.bincount(strata)
    own = kinds[numbers]
    dealt = list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]()
    for kind in np.unique(own):
        mine = rng.permutation(numbers[own == kind])
        short = np.maximum(totals[kind] * shares - fill[:, kind], 0)
        exact = short / short.sum() * len(mine) if short.sum() > 0 else shares * len(mine)
        whole = np.floor(exact.round(_DIGITS)).astype(np.int64)
        dealt.append((mine, whole, exact - whole))
    short_by = np.zeros(len(shares))  # over the classes so far
    for place in rng.permutation(len(dealt)):
        mine, whole, over = dealt[place]
        short_by += over
        order = rng.permutation(len(shares))
        order = order[over[order].round(_DIGITS) > 0]
        chosen = order[np.argsort(-short_by[order].round(_DIGITS), kind="stable")][: len(mine) - int(whole.sum())]
        whole[chosen] += 1
        short_by[chosen] -= 1
        part[mine] = np.arange(len(shares)).repeat(whole)
