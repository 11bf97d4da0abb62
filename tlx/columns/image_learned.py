"""What a column of images finds out: channels and type from some of them, black and white from those that train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Protocol

from tlx.columns import image_scale, image_seen, image_statistics, pictures
from tlx.columns.formats.pixels import Pixels
from tlx.columns.image_scale import BYTES
from tlx.columns.image_seen import Seen
from tlx.columns.reading import DEFAULT, Values
from tlx.config.dataset_parts import Limits

_LOOK = 64  # images looked at to find channels and type


class Pictures(pictures.Pictures, Protocol):
    """A column of images."""

    def seen(self, value: object, limits: Limits = DEFAULT) -> Seen:
        """Look at an image."""


class NoneReadable(ValueError):
    """No image can be read; the message says why the first cannot."""


def channels_and_type(values: Values, decoded: Callable[[object, Limits], Pixels], limits: Limits) -> tuple[int, str]:
    """How many channels images have, 3 where some are grey and others have colours, and their usual type.

    Where none of the images that are looked at can be read the others are tried, until one can be.

    Raises:
        NoneReadable: None of all can be.
    """
    channels: Counter[int] = Counter()
    types: Counter[str] = Counter()
    every, first = max(1, len(values) // _LOOK), ""
    for i in chain(range(0, len(values), every), (i for i in range(len(values)) if i % every)):
        if i % every and channels:
            break
        try:
            pixels = decoded(values[i], limits).values
        except Exception as error:  # decoders raise anything; the look at all of them names such files
            first = first or f"unreadable image: {type(error).__name__}: {error}"
            continue
        channels[image_seen.channels_of(pixels)] += 1
        types[str(pixels.dtype)] += 1
    if not channels:
        raise NoneReadable(f"{first}; none of the {len(values):,} images can be read")
    most = 3 if set(channels) == {1, 3} else channels.most_common(1)[0][0]
    return most, types.most_common(1)[0][0]


def scale_and_type(
    column: Pictures, values: Values, seen: Sequence[Seen], limits: Limits
) -> tuple[tuple[float, ...], str]:
    """Black and white of a column, from train, and the type of all its images where each is taken by its own.

    Args:
        column: Its ``scale_by`` says how.
        values: Of train.
        seen: What was seen of each; empty: they are looked at where that is needed.
        limits: The most that is read of one.

    Returns:
        The scale, empty where each image's own type says it; and the type, empty where they have several or it matters
        not.
    """
    if column.scale_by == "dtype":
        known = seen or [column.seen(value, limits) for value in values]
        types = {one.dtype if one.most is None else "" for one in known}  # numbers do not say their range
        return column.scale, types.pop() if len(types) == 1 else ""
    if column.scale_by == "percentile":
        return image_scale.percentiles(image_statistics.sample(column, values, limits)), ""
    if column.scale_by == "auto" and not column.scale:
        known = seen or [column.seen(value, limits) for value in values] if column.dtype != "uint8" else ()
        return image_scale.found(known) if known else BYTES, ""
    return column.scale, ""
