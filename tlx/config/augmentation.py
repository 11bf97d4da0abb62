"""Random steps that training images go through: each with its options, and presets of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from tlx.config.errors import ConfigIssue, suggest
from tlx.config.fields import HELP, RANGE, Range


def _number(default: float, help: str, **bounds: float) -> Any:
    return field(default=default, metadata={HELP: help, RANGE: Range(**bounds)})


@dataclass(frozen=True)
class ResizedCrop:
    """A random part of the image, resized (Szegedy et al. 2015); it can only be the first step."""

    least: float = _number(0.35, "of the area", above=0, most=1)
    most: float = _number(1.0, "of the area", above=0, most=1)
    narrowest: float = _number(3 / 4, "width over height", least=1e-3, most=1e3)
    widest: float = _number(4 / 3, "width over height", least=1e-3, most=1e3)


@dataclass(frozen=True)
class HorizontalFlip:
    """Left and right change places."""

    p: float = _number(0.5, "how often", least=0, most=1)


@dataclass(frozen=True)
class VerticalFlip:
    """Top and bottom change places."""

    p: float = _number(0.5, "how often", least=0, most=1)


@dataclass(frozen=True)
class Rotation:
    """Turned by an angle; the corners are black."""

    degrees: float = _number(15, "at most, each way", least=0, most=180)


@dataclass(frozen=True)
class ColorJitter:
    """Other brightness, contrast, saturation and hue, each by a random factor."""

    brightness: float = _number(0.4, "at most so much more or less", least=0, most=1e3)
    contrast: float = _number(0.4, "at most so much more or less", least=0, most=1e3)
    saturation: float = _number(0.4, "at most so much more or less", least=0, most=1e3)
    hue: float = _number(0.0, "at most so far around the circle", least=0, most=0.5)


@dataclass(frozen=True)
class RandAugment:
    """Several random operations of one magnitude (Cubuk et al. 2020)."""

    operations: int = _number(2, "one after the other", least=1)
    magnitude: int = _number(9, "of 31 levels", least=0, most=30)


@dataclass(frozen=True)
class TrivialAugment:
    """One random operation of a random magnitude (Müller & Hutter 2021)."""


@dataclass(frozen=True)
class AugMix:
    """A mixture of chains of operations (Hendrycks et al. 2020)."""

    severity: int = _number(3, "of operations", least=1, most=10)
    width: int = _number(3, "chains", least=1)
    alpha: float = _number(1.0, "of the weights' distribution", least=1e-3, most=1e3)


@dataclass(frozen=True)
class Erasing:
    """A random rectangle becomes the mean colour (Zhong et al. 2020)."""

    p: float = _number(0.25, "how often", least=0, most=1)


Step = (
    ResizedCrop
    | HorizontalFlip
    | VerticalFlip
    | Rotation
    | ColorJitter
    | RandAugment
    | TrivialAugment
    | AugMix
    | Erasing
)
STEPS: dict[str, type[Step]] = {
    "resized_crop": ResizedCrop,
    "horizontal_flip": HorizontalFlip,
    "vertical_flip": VerticalFlip,
    "rotation": Rotation,
    "color_jitter": ColorJitter,
    "rand_augment": RandAugment,
    "trivial_augment": TrivialAugment,
    "aug_mix": AugMix,
    "erasing": Erasing,
}
TEST_VIEWS = (  # of which there is nothing random: the symmetries of a square
    "horizontal_flip",
    "vertical_flip",
    "rotate_90",
    "rotate_180",
    "rotate_270",
    "transpose",
    "transverse",
)
_ENDS = (("least", "most"), ("narrowest", "widest"))  # options between which a number is drawn
OF_COLOURS = (ColorJitter, RandAugment, TrivialAugment, AugMix)  # bytes of one or three channels
PRESETS: dict[str, tuple[Step, ...]] = {
    "light": (ResizedCrop(least=0.7), HorizontalFlip()),
    "standard": (ResizedCrop(), HorizontalFlip(), TrivialAugment()),
    "strong": (ResizedCrop(least=0.2), HorizontalFlip(), RandAugment(), Erasing()),
}


def steps(augment: str, listed: Sequence[Any]) -> tuple[Step, ...]:
    """The steps of a preset, or those that are listed; none for ``none`` and what is no preset.

    Args:
        augment: ``dataset.augment``.
        listed: ``dataset.augment_steps``, which has been checked.
    """
    if augment != "steps":
        return PRESETS.get(augment, ())
    return tuple(STEPS[name](**options) for name, options in map(_named, listed))


def issues(listed: Sequence[Any], key: str) -> Iterator[ConfigIssue]:
    """What is wrong with listed steps."""
    for place, one in enumerate(listed):
        here = f"{key}[{place}]"
        if not (isinstance(one, str) or (isinstance(one, Mapping) and len(one) == 1)):
            yield ConfigIssue(
                here, "expected a step, or a step with its options such as {rotation: {degrees: 20}}", one
            )
            continue
        name, options = _named(one)
        if name not in STEPS:
            yield ConfigIssue(here, f"no such step{suggest(name, STEPS)}; expected one of {', '.join(STEPS)}", name)
            continue
        if name == "resized_crop" and place:
            yield ConfigIssue(here, "cuts from the whole image, so it is the first step", name)
        yield from _options(STEPS[name], options, f"{here}.{name}")


def view_issues(views: Sequence[str], key: str) -> Iterator[ConfigIssue]:
    """What is wrong with the views of images that are tested."""
    for place, view in enumerate(views):
        if view not in TEST_VIEWS:
            message = f"no such view{suggest(view, TEST_VIEWS)}; expected some of {', '.join(TEST_VIEWS)}"
            yield ConfigIssue(f"{key}[{place}]", message, view)
        elif view in views[:place]:
            yield ConfigIssue(f"{key}[{place}]", "is listed twice", view)


def views_said(views: Sequence[str]) -> str:
    """What is predicted with these views, for a person."""
    return f"the mean over images as they are and {', '.join(views)} (dataset.test_augment)"


def _named(one: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(one, str):
        return one, {}
    ((name, options),) = one.items()
    return str(name), options or {}


def _options(step: type[Step], options: Any, key: str) -> Iterator[ConfigIssue]:
    known = {one.name: one for one in fields(step)}
    if not isinstance(options, Mapping):
        yield ConfigIssue(key, f"expected options by name: {', '.join(known) or 'it has none'}", options)
        return
    for name, value in options.items():
        if name not in known:
            hint = suggest(str(name), known) or f"; expected {', '.join(known) or 'none'}"
            yield ConfigIssue(f"{key}.{name}", f"no such option{hint}", value)
            continue
        allowed: Range = known[name].metadata[RANGE]
        kinds = (int,) if known[name].type == "int" else (int, float)
        if not isinstance(value, kinds) or isinstance(value, bool) or not allowed.holds(value):
            whole = "a whole number, " if known[name].type == "int" else ""
            yield ConfigIssue(f"{key}.{name}", f"expected {whole}{allowed}", value)
    for low, high in _ENDS:
        if low not in known:
            continue
        least, most = (options.get(name, known[name].default) for name in (low, high))
        if isinstance(least, (int, float)) and isinstance(most, (int, float)) and least > most:
            said = low if low in options else high
            message = f"is above {high} = {most:g}" if said == low else f"is below {low} = {least:g}"
            yield ConfigIssue(f"{key}.{said}", message, options[said])
