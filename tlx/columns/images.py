"""From pixels to the tensor a backbone expects: resize and crop, in the type that they have; normalise.

Bytes stay bytes until they are where the network is: a quarter of the memory to copy, and resized in a fifth of the
time that floats take.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from tlx.columns.decoding import DEFAULT
from tlx.columns.formats.pixels import Array, TooLarge
from tlx.columns.input_spec import ImageSpec
from tlx.config.dataset_parts import Limits


def prepare(values: Array, spec: ImageSpec, limits: Limits = DEFAULT) -> Tensor:
    """The tensor of ``spec``: channels matched, resized (shorter side / crop), centre-cropped.

    Args:
        values: In 0..255, [h, w] or [h, w, channels].
        spec: What the backbone expects.
        limits: Of the resized image.

    Returns:
        [channels, height, width] of bytes, or of floats that are normalised.

    Raises:
        TooLarge: Resized it would be over the limit; nothing was resized.
        ValueError: It has other channels than the backbone reads.
    """
    allow_resized(values.shape[0], values.shape[1], spec, limits)
    return finished(resize(planes(values, spec.channels), spec, limits), spec)


def prepare_all(values: Array, spec: ImageSpec, limits: Limits = DEFAULT) -> Tensor:
    """:func:`prepare` for a whole array of grey images [n, h, w] at once."""
    stacked = torch.from_numpy(np.ascontiguousarray(values)).unsqueeze(1)
    return finished(resize(stacked.expand(-1, spec.channels, -1, -1), spec, limits), spec)


def planes(values: Array, channels: int) -> Tensor:
    """[c, h, w] of the same type with the wanted number of channels: grey becomes colour, colour grey by luma."""
    tensor = torch.from_numpy(np.require(values, requirements=("C", "W")))  # else torch warns
    tensor = tensor.unsqueeze(0) if tensor.ndim == 2 else tensor.permute(2, 0, 1)
    have = tensor.shape[0]
    if have == channels:
        return tensor
    if have == 1 and channels == 3:
        return tensor.expand(channels, -1, -1)
    if channels == 1 and have == 3:
        return torch.as_tensor(F.rgb_to_grayscale(tensor))
    raise ValueError(f"the image has {have} channels, the backbone reads {channels}")


def resize(tensor: Tensor, spec: ImageSpec, limits: Limits = DEFAULT) -> Tensor:
    """The shorter side to size / crop (rounded down, as timm does), then the centre crop; values stay in 0..255.

    Raises:
        TooLarge: The resized image, before it is cropped, would be over the limit; nothing was resized.
    """
    mode = InterpolationMode(spec.interpolation)
    height, width = tensor.shape[-2:]
    allow_resized(height, width, spec, limits)
    resized = F.resize(tensor, list(resized_to(height, width, spec)), interpolation=mode, antialias=True)
    return torch.as_tensor(F.center_crop(_inside(resized), [spec.height, spec.width]))


def resize_box(tensor: Tensor, top: int, left: int, height: int, width: int, spec: ImageSpec) -> Tensor:
    """A part of an image as large as the backbone expects; values stay in 0..255."""
    size, mode = [spec.height, spec.width], InterpolationMode(spec.interpolation)
    return _inside(F.resized_crop(tensor, top, left, height, width, size, mode, antialias=True))


def _inside(resized: Tensor) -> Tensor:
    """Bicubic overshoots; with bytes torch itself sees to that."""
    return resized.clamp(0, 255) if resized.is_floating_point() else torch.as_tensor(resized)


def resized_to(height: int, width: int, spec: ImageSpec) -> tuple[int, int]:
    """Height and width of an image once its shorter side fits ``spec``, before it is cropped."""
    tall, wide = math.floor(spec.height / spec.crop), math.floor(spec.width / spec.crop)
    by_height = tall * width >= wide * height  # scaling to the height leaves enough width
    return (tall, int(tall * width / height)) if by_height else (int(wide * height / width), wide)


def allow_resized(height: int, width: int, spec: ImageSpec, limits: Limits) -> None:
    """See that an image can be resized; raises :class:`TooLarge`.

    What is resized keeps its shape, so a long and narrow image becomes a very long one.
    """
    tall, wide = resized_to(height, width, spec)
    if tall * wide > limits.resized_pixels:
        found = f"an image of {width:,} x {height:,} pixels, which would be resized to {wide:,} x {tall:,}"
        most = f"{limits.resized_pixels:,} pixels are made"
        raise TooLarge(found, most, "dataset.limits.resized_pixels")


def finished(tensor: Tensor, spec: ImageSpec) -> Tensor:
    """A resized image as it goes into a batch: bytes as they are, floats normalised."""
    return spec.normalise(tensor) if tensor.is_floating_point() else tensor
