"""From a file or an array to the tensor a backbone expects: decode, resize, crop, normalise."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from tlx.backbones.spec import ImageSpec

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".npy"})
_DEEP = ("I;16", "I;16B", "I;16L", "I")  # PIL's own conversion of these to 8 bits cuts at 255
_LOOK = 64  # files looked at to find the number of channels
Array = npt.NDArray[Any]


def decode(item: Any) -> Array:
    """A path or an array as ``uint8`` or ``float32`` in 0..255, [h, w] or [h, w, c].

    16-bit images are scaled by 255 / 65535. Transparency is laid over black. Raises whatever PIL or numpy raise
    for a file that is not an image.
    """
    if isinstance(item, np.ndarray):
        return item
    if isinstance(item, Image.Image):
        return _pixels(item)
    path = Path(item)
    if path.suffix.lower() == ".npy":
        return _scaled(np.load(path, allow_pickle=False))
    with Image.open(path) as image:
        image.load()
        return _pixels(image)


def _pixels(image: Image.Image) -> Array:
    if image.mode in _DEEP:
        values = np.asarray(image).astype(np.float32)
        return values * np.float32(255 / 65535)
    if image.mode == "F":
        return np.asarray(image, dtype=np.float32)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        shown = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", shown.size, (0, 0, 0, 255)), shown)
    return np.asarray(image.convert("RGB"))


def _scaled(values: Array) -> Array:
    if values.ndim not in (2, 3):
        raise ValueError(f"expected an array [h, w] or [h, w, c], found {list(values.shape)}")
    if values.dtype == np.uint16:
        return values.astype(np.float32) * np.float32(255 / 65535)
    return values


def channels_of(items: Sequence[Any]) -> int:
    """Channels of most images, where a grey one counts as colour if there is any colour."""
    found: Counter[int] = Counter()
    for i in range(0, len(items), max(1, len(items) // _LOOK)):
        try:
            values = decode(items[i])
        except Exception:  # decoders raise anything; the pre-flight names such files, this looks at the others
            continue
        found[1 if values.ndim == 2 else values.shape[2]] += 1
    if set(found) == {1, 3}:
        return 3
    return found.most_common(1)[0][0] if found else 3


def prepare(values: Array, spec: ImageSpec) -> Tensor:
    """The tensor of ``spec``: channels matched, resized (shorter side / crop), centre-cropped, normalised."""
    return normalise(resize(planes(values, spec.channels), spec), spec)


def prepare_all(values: Array, spec: ImageSpec) -> Tensor:
    """:func:`prepare` for a whole array of grey images [n, h, w] at once."""
    stacked = torch.from_numpy(np.ascontiguousarray(values)).float().unsqueeze(1)
    return normalise(resize(stacked.expand(-1, spec.channels, -1, -1), spec), spec)


def planes(values: Array, channels: int) -> Tensor:
    """[c, h, w] floats with the wanted number of channels: grey is repeated, colour made grey by luma."""
    tensor = torch.from_numpy(np.ascontiguousarray(values)).float()
    tensor = tensor.unsqueeze(0) if tensor.ndim == 2 else tensor.permute(2, 0, 1)
    have = tensor.shape[0]
    if have == channels:
        return tensor
    if have == 1:
        return tensor.expand(channels, -1, -1)
    if channels == 1 and have == 3:
        return torch.as_tensor(F.rgb_to_grayscale(tensor))
    raise ValueError(f"the image has {have} channels, the backbone reads {channels}")


def resize(tensor: Tensor, spec: ImageSpec) -> Tensor:
    """The shorter side to size / crop (rounded down, as timm does), then the centre crop; values stay in 0..255."""
    mode = InterpolationMode(spec.interpolation)
    tall, wide = math.floor(spec.height / spec.crop), math.floor(spec.width / spec.crop)
    height, width = tensor.shape[-2:]
    by_height = tall * width >= wide * height  # scaling to the height leaves enough width
    size = [tall, int(tall * width / height)] if by_height else [int(wide * height / width), wide]
    resized = F.resize(tensor, size, interpolation=mode, antialias=True).clamp(0, 255)  # bicubic overshoots
    return torch.as_tensor(F.center_crop(resized, [spec.height, spec.width]))


def normalise(tensor: Tensor, spec: ImageSpec) -> Tensor:
    """``(pixel / 255 - mean) / std`` per channel."""
    mean = torch.tensor(spec.mean).view(-1, 1, 1)
    std = torch.tensor(spec.std).view(-1, 1, 1)
    return ((tensor / 255 - mean) / std).contiguous()
