"""Numbers that are none, seeds that no generator takes, and studies of more trials than anybody means."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from omegaconf import ListConfig, OmegaConf

from tlx.config.errors import ConfigIssue
from tlx.config.select import select
from tlx.files.secrets import WAY_OUT, holders

_FREE = ("args", "settings")  # handed on to a library, which knows what it takes


# seed -> the largest that its generator takes; that of proposals is a million and three times the search's
_SEEDS = {
    "seed": 2**63 - 1,
    "init_seed": 2**63 - 1,
    "order_seed": 2**63 - 1,
    "dataset.split_seed": 2**32 - 1,
    "dataset.shots_seed": 2**63 - 1,
    "dataset.render_seed": 2**63 - 1,
    "search.seed": 4000,
}


def seeds_can_be_taken(config: Any) -> Iterator[ConfigIssue]:
    """Every seed is one that its generator takes."""
    given = [(key, select(config, key), most) for key, most in _SEEDS.items()]
    for name in ("seeds", "tune_seeds", "variance.seeds"):
        most = _SEEDS["dataset.split_seed"] if "split" in (select(config, "study.vary") or ()) else _SEEDS["seed"]
        given += [(f"study.{name}.{i}", seed, most) for i, seed in enumerate(select(config, f"study.{name}") or ())]
    for key, seed, most in given:
        if seed is not None and not 0 <= seed <= most:
            yield ConfigIssue(key, "expected zero or more" if seed < 0 else f"expected at most {most}", seed)


def studies_are_not_too_large(config: Any) -> Iterator[ConfigIssue]:
    """A study is of no more trials than a sweep may have."""
    study, most = config.study, config.sweep.max_trials
    if study is None:
        return
    count = 0
    for arm in study.arms.values():
        tried = math.prod(len(choices) for choices in arm.tune.values() if isinstance(choices, (list, ListConfig)))
        if study.tune_seeds is None:
            count += len(study.points) * len(study.seeds) * tried
        else:
            tuning = tried * len(study.tune_seeds) if arm.tune else 0
            count += len(study.points) * (len(study.seeds) + tuning)
    if count > most:
        message = f"this study is {count:,} trials; leave some of it out, or allow as many: sweep.max_trials={count}"
        yield ConfigIssue("sweep.max_trials", message, most)


def numbers_are_finite(config: Any) -> Iterator[ConfigIssue]:
    """No number is NaN or infinite."""
    tree = OmegaConf.to_container(config, resolve=False) if OmegaConf.is_config(config) else config
    for key, value in _numbers(tree, ""):
        if not math.isfinite(value):
            yield ConfigIssue(key, "expected a number", value)


def settings_hold_no_secret(config: Any) -> Iterator[ConfigIssue]:
    """No address in a setting has a password or a token: settings are kept with the run."""
    tree = OmegaConf.to_container(config, resolve=False) if OmegaConf.is_config(config) else config
    for key, shown in holders(tree):
        yield ConfigIssue(key, WAY_OUT, shown)


def _numbers(node: Any, key: str) -> Iterator[tuple[str, float]]:
    if isinstance(node, float):
        yield key, node
        return
    inner: list[tuple[str, Any]] = []
    if is_dataclass(node):
        inner = [(option.name, getattr(node, option.name)) for option in fields(node)]
    elif isinstance(node, Mapping):
        inner = [(str(name), one) for name, one in node.items()]
    elif isinstance(node, (list, tuple)):
        inner = [(str(index), one) for index, one in enumerate(node)]
    for name, one in inner:
        if name not in _FREE:
            yield from _numbers(one, f"{key}.{name}" if key else name)
