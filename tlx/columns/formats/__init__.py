"""Files of pixels: which suffixes are read, by which module, and what has to be installed for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tlx.columns.formats.pixels import Pixels, ReadAs
from tlx.config.dataset import Limits

Read = Callable[[Path, ReadAs, Limits], Pixels]


@dataclass(frozen=True)
class Format:
    """A family of formats.

    Args:
        module: Of this package; its ``read`` reads a file.
        packages: Without which it cannot.
        extra: Of tlx, which installs them.
    """

    module: str
    packages: tuple[str, ...] = ()
    extra: str = ""


RASTER, ARRAY = Format("raster"), Format("array")
FORMATS: dict[str, Format] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"), RASTER),
    **dict.fromkeys((".tif", ".tiff"), RASTER),
    **dict.fromkeys((".npy",), ARRAY),
}


class NotInstalled(ValueError):
    """A package that reads these files is not there."""


def suffix_of(name: str) -> str:
    """The suffix of a file of pixels as :data:`FORMATS` has it, or nothing; ``.nii.gz`` is one."""
    lower = name.lower()
    return next((suffix for suffix in FORMATS if lower.endswith(suffix) and len(lower) > len(suffix)), "")


def read(path: Path, how: ReadAs, limits: Limits) -> Pixels:
    """Read the pixels of a file; one without a known suffix is taken for a raster image.

    Raises:
        NotInstalled: What reads it is not there; says what to install.
        TooLarge: The image is over a limit.
        Exception: Whatever a decoder raises for a file that is not what it says.
    """
    suffix = suffix_of(path.name)
    found = FORMATS.get(suffix, RASTER)
    missing = [package for package in found.packages if find_spec(package) is None]
    if missing:
        raise NotInstalled(f"{suffix} files are read by {', '.join(missing)}: pip install 'tlx[{found.extra}]'")
    function: Read = import_module(f"{__name__}.{found.module}").read
    return function(path, how, limits)
