"""What is learned of the images that train, and what is said of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from tlx.columns.formats.pixels import Array
from tlx.columns.image_scale import BYTES, Range, range_of
from tlx.columns.image_seen import Seen, channels_of
from tlx.columns.pictures import Pictures
from tlx.columns.reading import DEFAULT, Indices, Values
from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigIssue, DataError

_IMAGES = 256  # of train, evenly spaced, that statistics are taken of
_VALUES = 10_000  # of each of them, of all channels alike, that percentiles are taken of
_STEPS = 0.7548776662466927, 0.5698402909980532  # down and across: Roberts' R2 sequence, which has no period
_COVERED = 0.05  # of the scale: less is said


def sample(column: Pictures, values: Values, limits: Limits = DEFAULT) -> Array:
    """Values of train: of at most 256 images, of each about 10 000, of pixels all over it with all their channels."""
    return np.concatenate([_spread(pixels).reshape(-1) for pixels in _some(column, values, limits)])


def _spread(pixels: Array) -> Array:
    """Pixels of an image, spread evenly over its rows and columns; all of a small one."""
    if pixels.size < 2 * _VALUES:
        return pixels
    height, width = pixels.shape[:2]
    number = np.arange(1, _VALUES * height * width // pixels.size + 1)
    rows, columns = ((number * step % 1 * size).astype(int) for step, size in zip(_STEPS, (height, width), strict=True))
    chosen: Array = pixels[rows, columns]
    return chosen


def moments(column: Pictures, values: Values, limits: Limits = DEFAULT) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel in 0..1, over at most 256 images of train, each counting alike.

    A channel that does not vary gets the deviation 1. Colours of a column of grey count as the grey that they become.

    Raises:
        DataError: No image has the channels of the column.
    """
    first, second, count = np.zeros(column.channels), np.zeros(column.channels), 0
    for pixels in _some(column, values, limits):
        shown = column.scaled(pixels)
        if channels_of(shown) == 3 and column.channels == 1:
            from tlx.columns.images import planes  # torch

            shown = planes(shown, 1).numpy()[0]
        if channels_of(shown) == column.channels:
            flat = shown.reshape(-1, channels_of(shown)).astype(np.float64) / 255
            first += flat.mean(0)
            second += (flat**2).mean(0)
            count += 1
    if not count:
        message = f"no image of train has {_count(column.channels, 'channel')}, so there is no mean of them"
        raise DataError([ConfigIssue(f"dataset ({column.name})", message)])
    mean = first / count
    std = np.sqrt(np.maximum(second / count - mean**2, 0))
    return tuple(mean.tolist()), tuple(np.where(std > 1e-6, std, 1.0).tolist())


def _some(column: Pictures, values: Values, limits: Limits) -> Iterator[Array]:
    count = len(values)
    for place in np.unique(np.linspace(0, count - 1, min(count, _IMAGES)).round().astype(int)).tolist():
        yield column.read(values[place], limits)


def notes(column: Pictures, seen: Mapping[int, Seen], splits: Mapping[str, Indices]) -> list[str]:
    """What is unusual of the images, and what is lost on the way."""
    if not seen:
        return []
    train = [seen[i] for i in splits.get("train", np.arange(0)).tolist() if i in seen]
    usual = column.channels in (1, 3) and column.scale == BYTES and all(one.dtype == "uint8" for one in train)
    described = [_described(column, train)] if train and not usual else []
    return [*described, *_of_colours(column, seen), *_warned(column, train, seen, splits)]


def _described(column: Pictures, train: list[Seen]) -> str:
    low, high = min(one.low for one in train), max(one.high for one in train)
    types = " or ".join(sorted({one.dtype for one in train}))
    black, white = column.scale or (0.0, 0.0)
    how = {"auto": "auto", "percentile": "1 % and 99 % of train", "dtype": "dtype"}.get(column.scale_by, "as given")
    ends = (
        f"{black:g} is black, {white:g} white"
        if column.scale
        else "black and white are what each file says, or the ends of its type"
    )
    size = f"{_count(column.channels, 'channel')}, {_sizes(train)} pixels"
    return f"{column.name}: {size}, {types} from {low:g} to {high:g}; {ends} ({how}; dataset.scale)"


def _warned(
    column: Pictures, train: list[Seen], seen: Mapping[int, Seen], splits: Mapping[str, Indices]
) -> Iterator[str]:
    flat = sum(one.low == one.high for one in seen.values())
    if flat:
        is_dark = sum(column.background) < 3 * 128
        drawn, on = ("dark", "white") if is_dark else ("light", "black")
        hint = f"; what is {drawn} on transparent is seen on dataset.background={on}" if column.dtype == "uint8" else ""
        yield f"{column.name}: {flat:,} of {len(seen):,} images are of one value throughout{hint}"
    if train and (share := _filled(column, train)) < _COVERED:
        hint = "so images are nearly alike: dataset.scale=percentile"
        yield f"{column.name}: train fills {share:.1%} of the scale, {hint}"
    over = Counter(
        name for name, indices in splits.items() for i in indices.tolist() if i in seen and _is_beyond(seen[i], column)
    )
    if over:
        parts = ", ".join(f"{count:,} of {name}" for name, count in over.items())
        ends = f"{column.scale[0]:g} to {column.scale[1]:g}" if column.scale else "what is black and white by type"
        yield f"{column.name}: values beyond {ends} are cut off in images: {parts}"
    several = sum(one.frames > 1 for one in seen.values())
    if several:
        yield f"{column.name}: {several:,} files hold several frames, of which one is read (dataset.frame)"


def _of_colours(column: Pictures, seen: Mapping[int, Seen]) -> Iterator[str]:
    """Colours that are lost as somebody said that images are grey."""
    if column.channels == 1 and (coloured := sum(one.colours for one in seen.values())):
        yield f"{column.name}: {coloured:,} of {len(seen):,} images have colours, and are read as grey"


def _range(column: Pictures, seen: Seen) -> Range:
    """What is black and white in an image."""
    return (column.scale[0], column.scale[1]) if column.scale else range_of(seen)


def _filled(column: Pictures, train: list[Seen]) -> float:
    """The share from black to white that lies between the least and the highest value of train, beyond cut off."""
    lows, highs = [], []
    for one in train:
        black, white = _range(column, one)
        lows.append((one.low - black) / (white - black))
        highs.append((one.high - black) / (white - black))
    low, high = np.clip((min(lows), max(highs)), 0, 1).tolist()
    return float(high - low)


def _is_beyond(seen: Seen, column: Pictures) -> bool:
    black, white = _range(column, seen)
    return seen.low < black or seen.high > white


def _sizes(train: list[Seen]) -> str:
    heights, widths = [one.height for one in train], [one.width for one in train]
    least, most = f"{min(widths):,} x {min(heights):,}", f"{max(widths):,} x {max(heights):,}"
    return least if least == most else f"{least} to {most}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
