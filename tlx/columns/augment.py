"""Random augmentation as a pure function of (seed, epoch, index): any worker count, any restart, the same images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import RandomResizedCrop
from torchvision.transforms.v2 import functional as F

from tlx.columns import images
from tlx.columns.input_spec import ImageSpec

_SHIFT = 2  # pixels


def generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The random numbers of one example in one epoch."""
    return np.random.default_rng([seed, epoch, index])


def shift(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Up to two pixels each way, wrapping around."""
    dy, dx = rng.integers(-_SHIFT, _SHIFT + 1, size=2)
    return torch.roll(image, (int(dy), int(dx)), dims=(-2, -1))


def flip_crop(image: Tensor, spec: ImageSpec, rng: np.random.Generator) -> Tensor:
    """A random resized crop (area 35-100 %, aspect 3/4-4/3) to the size of ``spec``, mirrored half of the time.

    The crop follows Szegedy et al. 2015 with a milder area, as few labels ask for.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(rng.integers(2**31)))  # torch.manual_seed would reseed GPUs too
        box = RandomResizedCrop.make_params(RandomResizedCrop(1, scale=(0.35, 1.0)), [image])
    cropped = images.resize_box(image, box["top"], box["left"], box["height"], box["width"], spec)
    return torch.as_tensor(F.horizontal_flip(cropped) if rng.random() < 0.5 else cropped)
