"""Images: decoded and looked at."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from tlx.columns import decoding, remembered
from tlx.columns.column import Column
from tlx.columns.reading import DEFAULT, Indices, Inspection, Reader, Reading, Values
from tlx.config.dataset import Limits

_Size = tuple[int, int, int]  # height, width, channels


@dataclass(frozen=True)
class Image(Column):
    """An image: a path, a picture of PIL's, or an array [h, w] or [h, w, c] of values in 0..255.

    Args:
        channels: Of most images; 0: looked up in some of them.
    """

    kind: ClassVar[str] = "image"
    channels: int = 0

    def encode(self, values: Values, train: Indices, limits: Limits = DEFAULT) -> tuple[Self, Values, dict[int, str]]:
        """Find out how many channels the images have."""
        if self.channels or not len(values):
            return self, values, {}
        return replace(self, channels=decoding.channels_of(values, limits)), values, {}

    def read(self, value: Any, limits: Limits = DEFAULT) -> decoding.Array:
        """Decode it."""
        return decoding.decode(value, limits)

    def file(self, value: Any) -> Path | None:
        """The image's own."""
        return Path(value) if isinstance(value, (str, Path)) else None

    def problem(self, value: Any) -> str:
        """Why a decoded image cannot be used."""
        if 0 in value.shape:
            return "an image without pixels"
        return "" if _is_finite(value) else "holds NaN or infinity"

    def problems(self, values: Values, used: Indices, look: Inspection) -> dict[int, str]:
        """Decode every image; the sizes of sound ones are remembered, and they are not decoded again."""
        if isinstance(values, np.ndarray):
            return {}
        known = remembered.load("vetted", look.fingerprint, dict[str, list[int]]) or {}
        faults: dict[int, str] = {}
        fresh: dict[str, list[int]] = {}
        for i in used.tolist():
            name = str(values[i]) if isinstance(values, list) and self.file(values[i]) is not None else look.origin(i)
            size = known.get(name)
            if size is None or len(size) != 3 or min(size) < 1:
                found = self._look(values, i, look.limits)
                if isinstance(found, str):
                    faults[i] = found
                    continue
                size = fresh[name] = list(found)
            if fault := self._fault(size, look.limits):
                faults[i] = fault
            look.sizes[i] = (size[0], size[1])
        if fresh and (obstacle := remembered.store("vetted", look.fingerprint, {**known, **fresh})):
            look.notes.append(f"that the images are sound is not remembered: {obstacle}")
        return faults

    def _look(self, values: Values, i: int, limits: Limits) -> _Size | str:
        """The size of an image, or why it cannot be read."""
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", message=".*[Tt]runcated.*")  # only a warning to some decoders
                warnings.filterwarnings("ignore", message="Palette images with Transparency.*")
                with decoding.allowing(limits):  # an image of the hub is decoded where it is asked for
                    pixels = self.read(values[i], limits)
        except Exception as error:  # decoders raise anything: OSError, SyntaxError, struct.error, ...
            return f"unreadable image: {type(error).__name__}: {error}"
        if problem := self.problem(pixels):
            return problem
        return (pixels.shape[0], pixels.shape[1], 1 if pixels.ndim == 2 else pixels.shape[2])

    def _fault(self, size: list[int], limits: Limits) -> str:
        """Why an image of this size is not of this column, although it can be read."""
        height, width, channels = size
        if error := decoding.over_pixels(height, width, channels, limits):  # it was remembered under a higher limit
            return f"unreadable image: {type(error).__name__}: {error}"
        if channels != self.channels and {channels, self.channels} != {1, 3}:
            return f"has {channels} channels, the others have {self.channels}"
        return ""

    def prepare(self, value: Any, reading: Reading) -> Any:
        """[channels, height, width] as the backbone wants them; nothing is random."""
        from tlx.columns import images  # torch
        from tlx.columns.image_reader import spec_of

        return images.prepare(value, spec_of(reading), reading.limits)

    def collate(self, prepared: Values, reading: Reading) -> Any:
        """[images, channels, height, width], channels last in memory: a third faster for convolutions."""
        from tlx.columns.image_reader import stacked  # torch

        return stacked(list(prepared))

    def reader(self, values: Values, indices: Indices, reading: Reading) -> Reader:
        """Images that are decoded when they are asked for, or all at once where they are small."""
        from tlx.columns.image_reader import Decoded  # torch

        return Decoded(self, values, indices, reading)

    @property
    def summary(self) -> str:
        """Its channels."""
        return f"images of {self.channels} channels"


def _is_finite(values: decoding.Array) -> bool:
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())
