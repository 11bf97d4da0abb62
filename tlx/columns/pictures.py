"""A column of images, as those see it who learn of its images, refuse some of them or find them odd."""

from __future__ import annotations

from typing import Any, Protocol

from tlx.columns.formats.pixels import Array
from tlx.columns.reading import DEFAULT
from tlx.config.dataset_parts import Limits


class Pictures(Protocol):
    """What :class:`~tlx.columns.image.Image` says of itself."""

    @property
    def name(self) -> str:
        """Of the column."""

    @property
    def channels(self) -> int:
        """Of the images."""

    @property
    def dtype(self) -> str:
        """What they are batched as."""

    @property
    def scale(self) -> tuple[float, ...]:
        """Black and white."""

    @property
    def scale_by(self) -> str:
        """How these were found."""

    @property
    def background(self) -> tuple[int, ...]:
        """What lies behind what is transparent."""

    @property
    def windowed(self) -> bool:
        """Are values stretched by windows of radiology?"""

    @property
    def of_bands(self) -> bool:
        """Is each channel a band of its own?"""

    def read(self, value: Any, limits: Limits = DEFAULT) -> Array:
        """Decode one."""

    def scaled(self, value: Array) -> Array:
        """In 0..255."""
