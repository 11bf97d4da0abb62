"""torchvision's decoders, without the warning that their wrappers will move to another package."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

_UNCHANGED, _GREY, _RGB = 0, 1, 3  # torchvision.io.ImageReadMode


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


def png(content: bytes) -> npt.NDArray[np.uint16]:
    """Decode a PNG of 16 bits [h, w, channels], of which PIL keeps 8; raises :class:`RuntimeError` where it cannot."""
    import torch
    import torchvision.io  # noqa: F401 (it registers the decoder)

    planes = torch.ops.image.decode_png(torch.frombuffer(bytearray(content), dtype=torch.uint8), _UNCHANGED, False)
    values: npt.NDArray[np.uint16] = planes.permute(1, 2, 0).numpy()
    return values
