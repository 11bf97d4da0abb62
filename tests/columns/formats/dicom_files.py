"""DICOM files: those that pydicom ships, and made ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset

from tests.columns.formats.strategies import Array


def shipped(name: str) -> Path:
    """A test file of pydicom's."""
    return Path(str(get_testdata_file(f"{name}.dcm", download=False)))


def made(path: Path, stored: Array, frames: int = 1, bits: int = 0, **elements: Any) -> Path:
    """A file with [frames * h, w] or [h, w, 3] stored values."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = uid.SecondaryCaptureImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = uid.generate_uid()
    header.Rows, header.Columns = stored.shape[0] // frames, stored.shape[1]
    header.SamplesPerPixel = 1 if stored.ndim == 2 else stored.shape[2]
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated = 8 * stored.itemsize
    header.BitsStored = bits or header.BitsAllocated
    header.HighBit = header.BitsStored - 1
    header.PixelRepresentation = int(stored.dtype.kind == "i")
    if frames > 1:
        header.NumberOfFrames = frames
    header.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes() + b"\0" * (stored.nbytes % 2)
    header["PixelData"].VR = "OB" if stored.itemsize == 1 else "OW"
    for name, value in elements.items():
        setattr(header, name, value)
    header.save_as(path, enforce_file_format=True)
    return path
