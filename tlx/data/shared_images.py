"""Which prepared images trials share: those of files, by the content of every one of them and how they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import torch

from tlx.columns import Column
from tlx.columns.image_map import ImageMap
from tlx.columns.input_spec import ImageSpec
from tlx.data.source import Source
from tlx.files.content_hash import content_hash
from tlx.version import VERSION

_OF_NETWORK = ("mean", "std", "statistics", "stored")  # of a column: how its bytes are normalised, and what is exported
_OF_PIXELS = ("channels", "height", "width", "interpolation", "crop")  # of what a backbone expects
_DECODERS = ("torch", "torchvision", "pillow", "numpy", "tifffile", "imagecodecs", "pydicom", "nibabel")


class OpenMap(Protocol):
    """Opens or makes a map of images."""

    def __call__(
        self, facts: Mapping[str, Any], count: int, shape: tuple[int, int, int], is_unchanged: Callable[[int], bool]
    ) -> ImageMap | str:
        """The map, or why there can be none.

        Args:
            facts: What the pixels depend on.
            count: Of the images.
            shape: [channels, height, width] of each.
            is_unchanged: Has the file of an image the content that the facts are of?
        """


class SharedImages:
    """Opens the maps of a source, one for each column, whichever split asks first."""

    def __init__(self, source: Source, name: str, memory: int, open_map: OpenMap) -> None:
        """``name``: of the data; ``memory``: bytes that all images of a column may take."""
        self._source, self._name, self._memory, self._open = source, name, memory, open_map
        self._maps: dict[str, ImageMap | None] = {}

    def __call__(self, column: Column, spec: ImageSpec) -> ImageMap | None:
        """The map of a column; None where its values are not a file each, or too many."""
        if column.name not in self._maps:
            self._maps[column.name] = self._opened(column, spec)
        return self._maps[column.name]

    def _opened(self, column: Column, spec: ImageSpec) -> ImageMap | None:
        values, shape = self._source.rows[column.name], (spec.channels, spec.height, spec.width)
        is_of_files = column.name in self._source.contents and column.file(values[0]) is not None
        if not is_of_files or ImageMap.size(len(values), shape) > self._memory:
            return None
        contents = self._source.contents[column.name]()

        def is_unchanged(row: int) -> bool:
            file = column.file(values[row])
            try:
                return file is not None and bool(contents[row]) and content_hash(file) == contents[row]
            except OSError:
                return False

        whole = hashlib.sha256("\n".join(contents).encode()).hexdigest()
        how = {name: value for name, value in column.settings().items() if name not in _OF_NETWORK}
        facts = {
            **{"dataset": self._name, "contents": whole, "column": how},
            "transform": {name: getattr(spec, name) for name in _OF_PIXELS},
            **{name: number for name in _DECODERS if (number := _version(name)) is not None},
            **{"tlx": VERSION, "cpu": torch.backends.cpu.get_cpu_capability()},
        }
        found = self._open(facts, len(values), shape, is_unchanged)
        if isinstance(found, str):
            self._source.notes.append(f"{column.name}: what is decoded is not shared with other trials: {found}")
            return None
        return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
