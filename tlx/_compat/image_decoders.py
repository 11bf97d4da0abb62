"""Decoders of torchvision's, without the warning of their wrappers, and of PIL's, with all bits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

_GREY, _RGB = 1, 3  # torchvision.io.ImageReadMode


def jpeg(content: Path, colour: bool) -> npt.NDArray[np.uint8] | None:
    """Decode a JPEG with the bits that PIL gives, in 60 % of its time.

    Args:
        content: The file, grey or in RGB.
        colour: Is it in RGB?

    Returns:
        [h, w] or [h, w, 3]; None where torchvision is not loaded, as importing it takes longer than a few images, or
        was built without decoders.

    Raises:
        RuntimeError: It cannot be decoded.
    """
    if "torchvision.io" not in sys.modules:
        return None
    import torch

    if not hasattr(torch.ops.image, "decode_jpeg"):
        return None
    data = torch.from_numpy(np.fromfile(content, dtype=np.uint8))
    planes = torch.ops.image.decode_jpeg(data, _RGB if colour else _GREY, False)
    values: npt.NDArray[np.uint8] = (planes.permute(1, 2, 0) if colour else planes[0]).numpy()
    return values


def png(stream: BinaryIO) -> npt.NDArray[np.uint16]:
    """Decode a PNG of 16 bits [h, w, channels], of which PIL keeps 8.

    PIL's own decoder is asked for the high bytes and then for the low ones: torchvision's, which knows 16 bits, writes
    beyond its memory on some damaged files.

    Raises:
        OSError: It cannot be decoded, or any other error of PIL's.
    """

    def decoded(kind: str) -> npt.NDArray[np.uint8]:
        stream.seek(0)
        with Image.open(stream, formats=["PNG"]) as image:
            image.tile = [part._replace(args=kind) for part in image.tile]
            return np.asarray(image)

    stream.seek(0)
    with Image.open(stream, formats=["PNG"]) as image:
        kind = str(image.tile[0][3])
    if kind == "I;16B":
        stream.seek(0)
        with Image.open(stream, formats=["PNG"]) as image:
            return np.asarray(image).astype(np.uint16)[:, :, None]
    if kind == "LA;16B":  # four bytes a pixel, as those of RGBA
        parts = decoded("RGBA")
        high, low = parts[..., ::2], parts[..., 1::2]
    else:
        high, low = decoded(kind), decoded(kind.replace("16B", "16L"))
    return np.stack([low, high], axis=-1).view("<u2")[..., 0].astype(np.uint16, copy=False)
