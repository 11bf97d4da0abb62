"""Random augmentation as a pure function of (seed, epoch, index): any worker count, any restart, the same images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from tlx.columns import images
from tlx.columns.input_spec import ImageSpec
from tlx.config import augmentation
from tlx.config.augmentation import ResizedCrop, Step

_SHIFT = 2  # pixels
_ONE_THREAD = Lock()


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
    with _seeded(rng):
        box = _box(image, ResizedCrop())
    cropped = images.resize_box(image, *box, spec)
    return torch.as_tensor(F.horizontal_flip(cropped) if rng.random() < 0.5 else cropped)


def stepwise(image: Tensor, steps: Sequence[Step], spec: ImageSpec, rng: np.random.Generator) -> Tensor:
    """An image of the size of ``spec`` that has gone through these steps, one after the other.

    Args:
        image: [channels, height, width] in 0..255, of any size.
        steps: Of :mod:`tlx.config.augmentation`.
        spec: What the backbone expects.
        rng: Of the example.
    """
    with _seeded(rng):
        if steps and isinstance(steps[0], ResizedCrop):
            found, rest = images.resize_box(image, *_box(image, steps[0]), spec), steps[1:]
        else:
            found, rest = images.resize(image, spec), steps
        for step in rest:
            found = _transform(step, spec.mean)(found)
    return found


@contextmanager
def _seeded(rng: np.random.Generator) -> Iterator[None]:
    """torchvision draws from torch's own generator, which is left as it was; one thread at a time does so."""
    with _ONE_THREAD, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(rng.integers(2**31)))  # torch.manual_seed would reseed GPUs too
        yield


def _box(image: Tensor, step: ResizedCrop) -> tuple[int, int, int, int]:
    """Top, left, height and width of what is cut out."""
    crop = v2.RandomResizedCrop(1, scale=(step.least, step.most), ratio=(step.narrowest, step.widest))
    box = crop.make_params([image])
    return box["top"], box["left"], max(1, box["height"]), max(1, box["width"])  # of what is narrow it rounds to none


@lru_cache(maxsize=64)
def _transform(step: Step, mean: tuple[float, ...]) -> Callable[[Tensor], Tensor]:
    """torchvision's transform for a step; ``mean``: of the channels, in 0..1."""
    made: Any
    match step:
        case augmentation.HorizontalFlip():
            made = v2.RandomHorizontalFlip(step.p)
        case augmentation.VerticalFlip():
            made = v2.RandomVerticalFlip(step.p)
        case augmentation.Rotation():
            made = v2.RandomRotation(step.degrees, v2.InterpolationMode.BILINEAR)
        case augmentation.ColorJitter():
            made = v2.ColorJitter(step.brightness, step.contrast, step.saturation, step.hue)
        case augmentation.RandAugment():
            made = v2.RandAugment(step.operations, step.magnitude)
        case augmentation.TrivialAugment():
            made = v2.TrivialAugmentWide()
        case augmentation.AugMix():
            made = v2.AugMix(step.severity, step.width, alpha=float(step.alpha))  # torch draws by no whole ones
        case augmentation.Erasing():
            made = v2.RandomErasing(step.p, value=[round(255 * one) for one in mean])
        case ResizedCrop():
            raise ValueError("a resized crop is the first step")
    transform: Callable[[Tensor], Tensor] = made
    return transform
