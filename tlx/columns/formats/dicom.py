"""Images of radiology: frames of DICOM files, by pydicom."""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
import pydicom
from PIL import Image
from pydicom import uid
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset, read_preamble
from pydicom.pixels import apply_color_lut, apply_modality_lut, get_decoder, pixel_array

from tlx.columns.formats import colour, dicom_codecs
from tlx.columns.formats.pixels import Array, NotInstalled, Pixels, ReadAs, allow, chosen, frame_at, native
from tlx.columns.formats.window import BYTES, is_defined, windowed
from tlx.config.dataset_parts import Limits
from tlx.files import regular

_PIXELS = {"PixelData", "FloatPixelData", "DoubleFloatPixelData"}
_RESCALE = (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))  # and what they are where nothing is said
_CURVES = ("linear", "linear_exact", "sigmoid")  # of windows
_BY_PIL = {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, *uid.JPEG2000TransferSyntaxes}

dicom_codecs.register()
logging.getLogger("pydicom").addHandler(logging.NullHandler())  # it tells every oddity to standard error otherwise


def read(path: Path, how: ReadAs, limits: Limits) -> Pixels:
    """One frame, the middle one where none is asked for: white is high, values are those that the file means.

    Raises:
        NotInstalled: It is compressed, and what decompresses it is not there.
        TooLarge: A frame is over the limit.
        Exception: Whatever pydicom raises for a file that is not what it says.
        ValueError: It has no pixels.
    """
    with regular.opened(path) as stream:
        header, syntax = _header(stream)
        frames = _frames(header)
        index = frame_at(how.frame, frames, frames // 2)
        allow(_number(header, "Rows"), _number(header, "Columns"), _number(header, "SamplesPerPixel"), limits)
        _number(header, "BitsAllocated")
        _see_that_it_is_there(stream, header, syntax, index, frames)
        stream.seek(0)
        stored = native(np.asarray(pixel_array(stream, index=index, transfer_syntax_uid=syntax)))
    if header.PhotometricInterpretation == "PALETTE COLOR":
        return _coloured(_of_palette(stored, header, how), how, frames, None)
    if stored.ndim == 3:
        return _coloured(stored, how, frames, _stored_range(header))
    meant, span = _meant(stored, header, index)
    inverse = header.PhotometricInterpretation == "MONOCHROME1"
    if how.window:
        shown = windowed(chosen(meant, how.bands), how.window, how.curve)
        return Pixels(255 - shown if inverse else shown, frames, BYTES)
    shown = _inverted(meant, span) if inverse else meant
    return Pixels(chosen(shown if meant is stored else shown.astype(np.float32), how.bands), frames, span)


def windows(path: Path, frame: int | None = None) -> tuple[tuple[tuple[float, float], ...], str]:
    """The (centre, width) of each window that a file names itself, and the curve that it names for them.

    Args:
        path: Of the file.
        frame: Whose windows, where frames have their own; None: the middle one.

    Returns:
        Those windows that have a meaning, as a linear one has none below a width of 1; and ``linear``, ``linear_exact``
        or ``sigmoid``.

    Raises:
        ValueError: It is no DICOM file, has no pixels or not this frame, or names a curve that the standard does not.
    """
    with regular.opened(path) as stream:
        header, _ = _header(stream)
    frames = _frames(header)
    place = _of_frame(header, "FrameVOILUTSequence", frame_at(frame, frames, frames // 2))
    curve = str(place.get("VOILUTFunction") or "LINEAR").lower()
    if curve not in _CURVES:
        raise ValueError(f"names the window function {curve!r}; expected {', '.join(_CURVES)}")
    centres, widths = (_floats(place.get(name)) for name in ("WindowCenter", "WindowWidth"))
    named = zip(centres, widths, strict=False)
    return tuple((centre, width) for centre, width in named if is_defined(width, curve)), curve


def _header(stream: IO[bytes]) -> tuple[Any, uid.UID]:
    """All but the pixels, before which the stream is left, and how these are packed."""
    read_preamble(stream, force=True)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag.group != 2)
    if meta.get("TransferSyntaxUID") == uid.DeflatedExplicitVRLittleEndian:  # nothing bounds what it inflates to
        raise ValueError("the whole file is deflated: write it again as Explicit VR Little Endian")
    stream.seek(0)
    header = pydicom.dcmread(stream, stop_before_pixels=True, force=True)
    if "Rows" not in header or "Columns" not in header:
        kind = header.file_meta.get("MediaStorageSOPClassUID") or header.get("SOPClassUID")
        named = kind.name if isinstance(kind, uid.UID) else kind
        raise ValueError(f"holds no image: {named}" if kind else "no DICOM file, or one without an image")
    implicit, little = header.original_encoding
    usual = uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian
    found = header.file_meta.get("TransferSyntaxUID") or (usual if little else uid.ExplicitVRBigEndian)
    return header, uid.UID(found)


def _frames(header: Any) -> int:
    return _number(header, "NumberOfFrames") if header.get("NumberOfFrames") else 1


def _number(header: Any, name: str) -> int:
    found = header.get(name)
    if not isinstance(found, int) or found < 1:
        raise ValueError(f"{name} is {found!r}; expected a number above zero")
    return found


def _see_that_it_is_there(stream: IO[bytes], header: Any, syntax: uid.UID, index: int, frames: int) -> None:
    """Raise for pixels that are cut off, and for a compressed picture that is none or larger than the header says.

    Args:
        stream: Before the pixels.
        header: Of them.
        syntax: How they are packed.
        index: Of the frame.
        frames: That there are.
    """
    decoder = get_decoder(syntax)
    if not syntax.is_encapsulated:
        pixels = header.Rows * header.Columns * header.SamplesPerPixel * frames
        part = (2, 3) if header.PhotometricInterpretation == "YBR_FULL_422" else (1, 1)
        claimed = pixels * header.BitsAllocated * part[0] // part[1] // 8
        there = os.fstat(stream.fileno()).st_size - stream.tell()
        if there < 8:
            raise ValueError("holds no pixels")
        if claimed > there:
            raise ValueError(f"claims {claimed:,} bytes of pixels, but holds {there:,}")
        return
    by_pil = syntax in _BY_PIL and not (syntax == uid.JPEGExtended12Bit and header.BitsStored > 8)
    if not set(decoder.available_plugins) - (set() if by_pil else {"pillow"}):
        what = "'tlx[medical]'" if syntax in dicom_codecs.SYNTAXES else "pylibjpeg pylibjpeg-openjpeg"
        raise NotInstalled(f"compressed as {syntax.name}, for which pydicom needs more: pip install {what}")
    if by_pil:
        stream.seek(12, os.SEEK_CUR)  # tag, type and length of the element
        table = (header.get("ExtendedOffsetTable"), header.get("ExtendedOffsetTableLengths"))
        packed = get_frame(stream, index, number_of_frames=frames, extended_offsets=table if all(table) else None)
        with Image.open(io.BytesIO(packed), formats=("JPEG", "JPEG2000")) as picture:
            if picture.size != (header.Columns, header.Rows):
                width, height = picture.size
                said = f"{header.Columns} x {header.Rows}"
                raise ValueError(f"holds a picture of {width} x {height} pixels, where {said} are said")


def _of_frame(header: Any, sequence: str, index: int) -> Any:
    """Where the values of a frame stand: in its own group, in one for all frames, or beside the pixels."""
    for name, place in (("PerFrameFunctionalGroupsSequence", index), ("SharedFunctionalGroupsSequence", 0)):
        groups = header.get(name) or []
        if place < len(groups) and groups[place].get(sequence):
            return groups[place].get(sequence)[0]
    return header


def _stored_range(header: Any) -> tuple[float, float] | None:
    """The least and the most that the bits can hold."""
    if "BitsStored" not in header:  # floats
        return None
    bits = int(header.BitsStored)
    return (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if header.PixelRepresentation else (0.0, 2.0**bits - 1)


def _meant(stored: Array, header: Any, index: int) -> tuple[Array, tuple[float, float] | None]:
    """Values after the modality's table, or its slope and intercept, and their range: Hounsfield units, for instance.

    They are the stored ones where nothing is said of them, else 64-bit floats.
    """
    if table := header.get("ModalityLUTSequence"):
        most = 2.0 ** int(table[0].LUTDescriptor[2]) - 1
        return apply_modality_lut(stored, header).astype(np.float64), (0.0, most)
    place = _of_frame(header, "PixelValueTransformationSequence", index)
    slope, intercept = (float(next(iter(_floats(place.get(name))), otherwise)) for name, otherwise in _RESCALE)
    span = _stored_range(header)
    if (slope, intercept) == (1, 0):
        return stored, span
    ends = sorted(end * slope + intercept for end in span or ())
    return stored * np.float64(slope) + intercept, (ends[0], ends[1]) if ends else None


def _inverted(values: Array, span: tuple[float, float] | None) -> Array:
    """The least is the most, and the other way round: MONOCHROME1 shows low values white."""
    if span is None:
        raise ValueError("white is low (MONOCHROME1), but how high black is is not said: dataset.window says it")
    return np.asarray(values.dtype.type(span[0] + span[1]) - values)


def _coloured(values: Array, how: ReadAs, frames: int, span: tuple[float, float] | None) -> Pixels:
    """Colours, or one of them in a window; of several there is none, and they are refused."""
    picked = chosen(values, how.bands)
    if how.window:
        return Pixels(windowed(picked, how.window, how.curve), frames, BYTES)
    return Pixels(picked, frames, span)


def _of_palette(stored: Array, header: Any, how: ReadAs) -> Array:
    """Colours [h, w, 3] as bytes, what is transparent laid over the background."""
    colours: Array = apply_color_lut(stored, header)
    if colours.dtype == np.uint16:
        colours = (colours >> 8).astype(np.uint8)
    if colours.shape[2] == 3:
        return colours
    return colour.over(colours[:, :, :3], colours[:, :, 3], how.background)


def _floats(value: Any) -> tuple[float, ...]:
    """The numbers of an element that has none, one or several."""
    if value is None or value == "":
        return ()
    return tuple(float(one) for one in value) if isinstance(value, pydicom.multival.MultiValue) else (float(value),)
