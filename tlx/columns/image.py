"""Images: decoded and looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from tlx.columns import decoding, formats, image_bands, image_faults, image_scale, image_seen, image_statistics
from tlx.columns import image_learned as learned
from tlx.columns.column import Column
from tlx.columns.formats.pixels import Array, Pixels, ReadAs
from tlx.columns.image_scale import BYTES, Range
from tlx.columns.image_seen import Seen
from tlx.columns.image_unlike import Unlike
from tlx.columns.inspection import look_at
from tlx.columns.reading import DEFAULT, Indices, Inspection, Reader, Reading, Values
from tlx.config import band_files
from tlx.config.dataset_parts import Limits
from tlx.config.image_values import Settled

_NOT_KEPT = ("looked_up", "was_of_bands")  # of a fitted column they say nothing
_SHOWN = 4  # channels whose mean and deviation are shown


@dataclass(frozen=True)
class Image(Column):
    """An image: a path, a picture of PIL's, or an array of numbers.

    Args:
        channels: Of most images, 3 where some are grey and others have colours; 0: looked up.
        dtype: ``uint8``: they are bytes, and are resized and batched as such; ``float32``: they are deeper, or few and
            small; empty: looked up.
        scale: Which values are black and white; empty: each image's own type says so, once the column has been fitted.
        scale_by: How that is found out: ``auto``, ``dtype``, ``percentile``; empty: it is given.
        window: Centre and width, one after the other, of each window of radiology; empty: none.
        window_of_file: The first window that a file names is taken.
        layout: Of arrays with channels: ``auto``, ``hwc`` or ``chw``.
        bands: Channels that are read; empty: all.
        background: Red, green and blue behind what is transparent.
        frame: Of a file that holds several; -1: the first of an animation, the middle of a volume.
        mean, std: Of train in 0..1, for each channel, where these are not three.
        statistics: Of other than three channels, mean and deviation are those of ``train``, or of the ``backbone``.
        band_files: What the files of an image are called, as :mod:`tlx.config.band_files` reads it: a path is not a
            file then, but what its files are called after; empty: it is the file.
        stored: With ``scale_by=dtype`` the type of all images of train; empty: they have several, or it matters not.
        looked_up: The channels are those of some images, which :meth:`settled` corrects.
        was_of_bands: Those of train were of several files, whatever those are of that are read now.
    """

    kind: ClassVar[str] = "image"
    channels: int = 0
    dtype: str = ""
    scale: tuple[float, ...] = ()
    scale_by: str = "auto"
    window: tuple[float, ...] = ()
    window_of_file: bool = False
    layout: str = "auto"
    bands: tuple[int, ...] = ()
    background: tuple[int, ...] = (0, 0, 0)
    frame: int = -1
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    statistics: str = "train"
    band_files: str = ""
    stored: str = ""
    looked_up: bool = field(default=False, compare=False, repr=False)
    was_of_bands: bool = field(default=False, compare=False, repr=False)

    def declared(self, values: Settled) -> Self:
        """The same, read as a configuration says."""
        scale: tuple[float, ...]
        if values.window != ():
            scale, scale_by = BYTES, ""
        elif isinstance(values.scale, tuple):
            scale, scale_by = values.scale, ""
        else:
            scale, scale_by = self.scale, values.scale
        return replace(
            self,
            scale=scale,
            scale_by=scale_by,
            window=() if isinstance(values.window, str) else tuple(one for pair in values.window for one in pair),
            window_of_file=values.window == "file",
            layout=values.layout,
            bands=values.bands,
            background=values.background,
            frame=-1 if values.frame is None else values.frame,
        )

    # -- what the values are ---------------------------------------------------------------------------------------

    def encode(self, values: Values, train: Indices, limits: Limits = DEFAULT) -> tuple[Self, Values, dict[int, str]]:
        """Find out how many channels the images have, and whether they are bytes, from some of them."""
        if (self.channels and self.dtype) or not len(values):
            return self, values, {}
        try:
            channels, usual = learned.channels_and_type(values, self.decoded, limits)
        except learned.NoneReadable as error:
            return self, values, {0: str(error)}
        dtype = "uint8" if image_scale.is_of_bytes(usual) and not self.windowed else "float32"
        looked_up = not self.channels
        known = replace(self, channels=self.channels or channels, dtype=self.dtype or dtype, looked_up=looked_up)
        return known, values, {}

    def settled(self, seen: Mapping[int, Seen]) -> Self:
        """Where some have one channel and others three, these are needed if any has colours."""
        if self.looked_up and {one.channels for one in seen.values()} == {1, 3}:
            return replace(self, channels=3 if any(one.colours for one in seen.values()) else 1)
        return self

    def fit(self, values: Values, seen: Sequence[Seen] = (), limits: Limits = DEFAULT) -> Self:
        """Settle the scale, and mean and deviation of other than three channels, from train.

        Args:
            values: Of train.
            seen: What was seen of each when it was looked at; empty: they are looked at now.
            limits: The most that is read of one.
        """
        scale, stored = learned.scale_and_type(self, values, seen, limits)
        fitted = replace(self, scale=scale, stored=stored)
        if self.channels == 3 or self.statistics == "backbone":
            return fitted
        mean, std = image_statistics.moments(fitted, values, limits)
        return replace(fitted, mean=mean, std=std)

    def decoded(self, value: Any, limits: Limits = DEFAULT) -> Pixels:
        """An image as its file has it, or its files."""
        if self.band_files and isinstance(value, (str, Path)):
            files = [
                (file, replace(self._how(file), bands=())) for file in band_files.parsed(self.band_files).of(value)
            ]
            return image_bands.read(files, self.bands, limits)
        return decoding.decode(value, self._how(value), limits)

    def read(self, value: Any, limits: Limits = DEFAULT) -> Array:
        """Decode it: values of the file's own type; where that is the scale, in 0..1 if the file says its range."""
        return self.as_read(self.decoded(value, limits))

    def as_read(self, found: Pixels) -> Array:
        """What :meth:`read` gives of a decoded image."""
        return image_scale.by_file(found.values, found.range) if self.scale_by == "dtype" else found.values

    def is_as_read(self, values: Values) -> bool:
        """Are the numbers of an array those that :meth:`read` gives of its images, if in another layout?"""
        if not isinstance(values, np.ndarray) or self.window != () or self.window_of_file:
            return False
        whole = self.bands == () or (self.bands == (0,) and values.ndim == 3)
        return whole and values.dtype.kind in "uif" and values.dtype.isnative

    def seen(self, value: Any, limits: Limits = DEFAULT) -> Seen:
        """Look at an image; raises whatever a decoder raises, and :class:`ValueError` for one that cannot be used."""
        found = self.decoded(value, limits)
        if problem := self.problem(found.values):
            raise ValueError(problem)
        return image_seen.seen(found)

    def file(self, value: Any) -> Path | None:
        """The image's own, where it has one."""
        return Path(value) if isinstance(value, (str, Path)) and not self.band_files else None

    def problem(self, value: Any) -> str:
        """Why a decoded image cannot be used."""
        return image_faults.problem(value)

    def problems(self, values: Values, used: Indices, look: Inspection) -> dict[int, str]:
        """Decode every image; what was seen of sound ones is remembered, and they are not decoded again."""
        faults = look_at(self, values, used, look)
        for i, one in look.seen.items():
            if fault := self.fault(one):
                faults[i] = fault
        return dict(sorted(faults.items()))

    def fault(self, seen: Seen) -> str:
        """Why an image is not of this column, although it can be read."""
        return image_faults.fault(self, seen)

    def notes(self, values: Values, splits: Mapping[str, Indices], seen: Mapping[int, Seen] | None = None) -> list[str]:
        """What the network will see of the images, and what is lost on the way."""
        return image_statistics.notes(self, seen or {}, splits)

    def notes_of_others(self, values: Values, splits: Mapping[str, Indices], seen: Mapping[int, Seen]) -> list[str]:
        """Which images are not like those of train."""
        found = Unlike(self)
        for one in seen.values():
            found.add(one)
        return found.lines()

    # -- towards a network -----------------------------------------------------------------------------------------

    def scaled(self, value: Array) -> Array:
        """A decoded image in 0..255: ``uint8``, or ``float32`` where it is deeper."""
        known: Range | None = (self.scale[0], self.scale[1]) if self.scale else None
        return image_scale.scaled(value, known, self.dtype == "uint8")

    def prepare(self, value: Any, reading: Reading) -> Any:
        """[channels, height, width] as the backbone wants them, bytes still to be normalised; nothing is random."""
        from tlx.columns import images  # torch
        from tlx.columns.image_reader import spec_of

        return images.prepare(self.scaled(value), spec_of(reading), reading.limits)

    def collate(self, prepared: Values, reading: Reading) -> Any:
        """[images, channels, height, width], channels last in memory: a third faster for convolutions."""
        from tlx.columns.image_reader import stacked  # torch

        return stacked(list(prepared))

    def reader(self, values: Values, indices: Indices, reading: Reading) -> Reader:
        """Images that are decoded when they are asked for, or all at once where they are small."""
        from tlx.columns.image_reader import Decoded  # torch

        return Decoded(self, values, indices, reading)

    def read_of(self, pattern: str) -> Self:
        """The same for images of other files than those of train; see ``band_files``."""
        return replace(self, band_files=pattern, was_of_bands=self.of_bands)

    @property
    def of_bands(self) -> bool:
        """Is each channel a band of its own, which grey does not stand for?"""
        return self.was_of_bands or bool(self.band_files)

    @property
    def windowed(self) -> bool:
        """Are values stretched by windows of radiology?"""
        return self.window != () or self.window_of_file

    @property
    def windows(self) -> tuple[tuple[float, float], ...]:
        """Centre and width of each window that is given."""
        return tuple(zip(self.window[::2], self.window[1::2], strict=True))

    @property
    def is_of_bytes(self) -> bool:
        """Is 0 black and 255 white, of the values as a file has them?"""
        return self.scale in ((), BYTES) and not self.windowed

    def read_as(self, spec: Any) -> str:
        """Channels and scale as they are, size and normalisation as the network has them."""
        colours = f"{self.channels} channel{'' if self.channels == 1 else 's'}"
        ends = f"{self.scale[0]:g} black, {self.scale[1]:g} white" if self.scale else "black and white by type"
        size = f"{spec.channels} x {spec.height} x {spec.width}"
        mean, std = (" ".join(f"{one:.3g}" for one in values[:_SHOWN]) for values in (spec.mean, spec.std))
        more = " ..." if len(spec.mean) > _SHOWN else ""
        return f"{colours}, {ends}; seen as {size}, mean {mean}{more}, deviation {std}{more}"

    def settings(self) -> dict[str, Any]:
        """All there is to know of it, as JSON has it."""
        return {name: value for name, value in super().settings().items() if name not in _NOT_KEPT}

    @property
    def summary(self) -> str:
        """Its channels."""
        return f"images of {self.channels} channels"

    def _how(self, value: Any) -> ReadAs:
        window, curve = self.windows, "linear"
        red, green, blue = self.background
        frame = None if self.frame < 0 else self.frame
        if self.window_of_file:
            window, curve = _window_of(value, frame)
        return ReadAs(self.layout_of(value), self.bands, window, (red, green, blue), frame, curve)

    def layout_of(self, value: Any) -> str:
        """Of an array: where its shape does not say, the one axis that has as many channels as the others."""
        if self.layout == "auto" and not self.bands and isinstance(value, np.ndarray) and value.ndim == 3:
            first, middle, last = value.shape
            clear = last < min(first, middle) or first < min(middle, last)
            if not clear and (first == self.channels) != (last == self.channels):
                return "hwc" if last == self.channels else "chw"
        return self.layout


def _window_of(value: Any, frame: int | None) -> tuple[tuple[tuple[float, float], ...], str]:
    """The first window that a DICOM file names of a frame, and its curve; raises :class:`ValueError` without."""
    if isinstance(value, (str, Path)) and formats.FORMATS.get(formats.suffix_of(Path(value).name)) is formats.DICOM:
        from tlx.columns.formats.dicom import windows

        found, curve = windows(Path(value), frame)
        if found:
            return found[:1], curve
    raise ValueError("names no window: dataset.window=[centre, width] says which")
