"""Other data as a trained model reads them: what was settled by training cannot be said again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.image_values import ImageValues
from tlx.config.schema import Trial

_READ = tuple(one.name for one in fields(ImageValues))
_TRAINS = ("augment", "augment_steps", "mix", "mixup_alpha", "cutmix_alpha", "sampler")  # what is of training alone
One = TypeVar("One", bound=Dataset)


def as_trained(config: One, trial: Trial, asked: Sequence[str]) -> One:
    """The data with the options of reading and training that the model was trained by.

    Args:
        config: Of the data.
        trial: Of the model.
        asked: The options that somebody has set, such as ``dataset.scale``.

    Raises:
        ConfigError: Some of these say otherwise; they would change no number.
    """
    if problems := [*_others(config, trial, asked), *_others_of_columns(config, trial)]:
        raise ConfigError(problems)
    return replace(config, **{name: getattr(trial.dataset, name) for name in (*_READ, *_TRAINS)})


def _others(config: Dataset, trial: Trial, asked: Sequence[str]) -> Iterator[ConfigIssue]:
    for name in (*_READ, *_TRAINS):
        key, value, own = f"dataset.{name}", getattr(config, name), getattr(trial.dataset, name)
        if value != own and any(one == key or one.startswith(f"{key}.") for one in asked):
            yield (
                _refused(key, value, own)
                if name in _READ
                else ConfigIssue(key, "is of training, and nothing is trained here; leave it out", value)
            )


def _others_of_columns(config: Dataset, trial: Trial) -> Iterator[ConfigIssue]:
    mine = getattr(trial.dataset, "columns", None) or {}
    for column, options in (getattr(config, "columns", None) or {}).items():
        for name in _READ:
            value, own = getattr(options, name, None), getattr(mine.get(column), name, None)
            own = getattr(trial.dataset, name) if own is None else own
            if value is not None and value != own:
                yield _refused(f"dataset.columns.{column}.{name}", value, own)


def _refused(key: str, value: Any, own: Any) -> ConfigIssue:
    word = "null" if own is None else own
    message = f"the model reads images as it was trained ({word}); leave it out, or train a run with {key}={value}"
    return ConfigIssue(key, message, value)
