"""Images of several files: their channels, one after the other, as if they were those of one file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tlx.columns import decoding
from tlx.columns.formats.pixels import Array, NotInstalled, Pixels, ReadAs, TooLarge, allow, chosen
from tlx.columns.formats.window import require_one
from tlx.config.dataset_parts import Limits
from tlx.files.regular import reason


class BandError(ValueError):
    """The files of an image make no image together; the message names the file."""


def read(files: Iterable[tuple[Path, ReadAs]], bands: tuple[int, ...], limits: Limits) -> Pixels:
    """Decode all files of an image.

    Args:
        files: In the order of their channels, each with how it is read.
        bands: Of all channels, those that are wanted; empty: all.
        limits: Of the pixels of all files together.

    Returns:
        [h, w, channels] of the files' own type; as one file with these channels would be.

    Raises:
        BandError: A file is not there or cannot be decoded, or they differ in size or type.
        ValueError: A window is asked for, and there are several channels; or a band is not there.
        TooLarge: They are over the limit.
        NotInstalled: What reads one is not there.
    """
    found: list[Pixels] = []
    places: list[tuple[Path, ReadAs]] = []  # of each channel: its file, and how that one is read of it
    for file, how in files:
        pixels = _decoded(file, replace(how, window=()), limits)
        values = pixels.values if pixels.values.ndim == 3 else pixels.values[:, :, None]
        if found and (fault := _difference(values, found[0].values)) is not None:
            first = places[0][0].name
            raise BandError(f"{file.name} {fault[0]}, {first} {fault[1]}: the files of an image have to agree")
        places += [(file, replace(how, bands=(band,))) for band in range(values.shape[2])]
        allow(values.shape[0], values.shape[1], len(places), limits)
        found.append(Pixels(values, pixels.frames, pixels.range))
    joined = chosen(np.concatenate([one.values for one in found], axis=2), bands)
    if any(how.window for _, how in places):  # of the one channel that is wanted, by the decoder of its file
        require_one(joined)
        return _decoded(*places[bands[0] if bands else 0], limits)
    ranges = {one.range for one in found}
    return Pixels(joined, max(one.frames for one in found), ranges.pop() if len(ranges) == 1 else None)


def _decoded(file: Path, how: ReadAs, limits: Limits) -> Pixels:
    try:
        return decoding.decode(file, how, limits)
    except (TooLarge, NotInstalled):
        raise
    except FileNotFoundError:
        raise BandError(f"there is no {file}") from None
    except OSError as error:
        raise BandError(f"{file} cannot be read: {reason(error)}") from error
    except Exception as error:  # decoders raise anything
        raise BandError(f"{file}: {type(error).__name__}: {error}") from error


def _difference(values: Array, others: Array) -> tuple[str, str] | None:
    """In what two images differ that have to agree: of the one, and of the other."""
    if values.shape[:2] != others.shape[:2]:
        own, other = (f"{one.shape[1]} x {one.shape[0]}" for one in (values, others))
        return f"has {own} pixels", f"{other}"
    if values.dtype != others.dtype:
        return f"holds {values.dtype}", f"{others.dtype}"
    return None
