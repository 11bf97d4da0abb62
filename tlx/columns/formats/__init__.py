"""Files of pixels: which suffixes are read, by which module, and what has to be installed for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tlx.columns.formats.pixels import NotInstalled, Pixels, ReadAs
from tlx.columns.formats.window import BYTES, windowed
from tlx.config.dataset_parts import Limits

__all__ = ["FORMATS", "Format", "NotInstalled", "Read", "read", "suffix_of"]
Read = Callable[[Path, ReadAs, Limits], Pixels]


@dataclass(frozen=True)
class Format:
    """A family of formats.

    Args:
        module: Of this package; its ``read`` reads a file.
        packages: Without which it cannot.
        extra: Of tlx, which installs them.
        windows: Its ``read`` applies windows itself.
    """

    module: str
    packages: tuple[str, ...] = ()
    extra: str = ""
    windows: bool = False


RASTER, ARRAY = Format("raster"), Format("array")
TIFF = Format("tiff", extra="satellite")  # which only some files need
DICOM = Format("dicom", ("pydicom",), "medical", windows=True)  # some are inverted after it
NIFTI = Format("nifti", ("nibabel",), "medical")
FORMATS: dict[str, Format] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".webp", ".avif", ".jp2", ".j2k"), RASTER),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), RASTER),
    **dict.fromkeys((".tif", ".tiff"), TIFF),
    **dict.fromkeys((".npy", ".npz"), ARRAY),
    **dict.fromkeys((".dcm", ".dicom", ".ima"), DICOM),
    **dict.fromkeys((".nii", ".nii.gz"), NIFTI),
}


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
    pixels = function(path, how, limits)
    if how.window and not found.windows:
        return replace(pixels, values=windowed(pixels.values, how.window), range=BYTES)
    return pixels
