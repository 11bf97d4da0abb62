"""What must fit together: one function per rule, each yielding the problems it sees."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from tlx.components.registry import UnknownComponentError, component
from tlx.composition import (
    dataset_rules,
    folder_rules,
    limit_rules,
    name_rules,
    package_rules,
    sampler_rules,
    split_rules,
    strategy_rules,
    study_rules,
    sweep_rules,
)
from tlx.config import patterns
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.fields import RANGE, Range
from tlx.config.machine import cluster, cores, gpus, num_micro_batches
from tlx.config.reuse import size, views
from tlx.config.select import select

Rule = Callable[[Any], Iterator[ConfigIssue]]  # of a trial, or of its configuration while something is missing


def across(config: Any, absent: set[str]) -> list[ConfigIssue]:
    """Every problem between parts that are right by themselves; a rule that reads an ``absent`` group is skipped."""
    problems: list[ConfigIssue] = []
    for needs, rule in RULES:
        if absent & set(needs):
            continue
        told = {problem.key for problem in problems}
        try:
            found = list(rule(config))
        except (MissingMandatoryValue, UnknownComponentError):  # told already, as a problem of its own
            continue
        problems += [one for one in found if rule is not limit_rules.numbers_are_finite or one.key not in told]
    return problems


def refuse_many_trials(trial: Any) -> None:
    """Refuse to train one trial of what is many; raises :class:`ConfigError` with the command that runs them."""
    for part, value in (("study", trial.study), ("search", trial.search)):
        if value is not None:
            name = trial.group or "..."
            message = f"a {part} is many trials; run: tlx sweep experiment={name}"
            raise ConfigError([ConfigIssue("experiment", message, name)])


def numbers_in_range(config: Any) -> Iterator[ConfigIssue]:
    """Numbers are in the range that their option names, and shares of the data leave something to train."""
    for key, value, allowed in _ranged(config):
        if not allowed.holds(value):
            yield ConfigIssue(key, f"expected {allowed}", value)
    for i in range(len(config.strategy.phases)):
        key = f"strategy.phases.{i}.threshold.value"
        value = select(config, key)
        if value is not None and not math.isfinite(value):
            yield ConfigIssue(key, "expected a number", value)
    if max(config.dataset.val, config.dataset.test) < 1 <= config.dataset.val + config.dataset.test:
        message = f"with dataset.test = {config.dataset.test} nothing is left to train"
        yield ConfigIssue("dataset.val", message, config.dataset.val)


def _ranged(node: Any, path: str = "") -> Iterator[tuple[str, float, Range]]:
    """Every number whose option names a range, with its key; of a mapping, each of its values."""
    kind = OmegaConf.get_type(node) if isinstance(node, DictConfig) else type(node)
    if isinstance(node, (list, ListConfig)):
        for index, inner in enumerate(node):
            yield from _ranged(inner, f"{path}.{index}")
    elif kind is not None and is_dataclass(kind):
        for one in fields(kind):
            key = f"{path}.{one.name}" if path else one.name
            if isinstance(node, DictConfig) and OmegaConf.is_missing(node, one.name):
                continue
            value, allowed = getattr(node, one.name), one.metadata.get(RANGE)
            if allowed is None:
                yield from _ranged(value, key)
            elif isinstance(value, (dict, DictConfig)):
                yield from ((f"{key}.{name!s}", inner, allowed) for name, inner in value.items())
            elif value is not None:
                yield key, value, allowed


def patterns_can_be_read(config: Any) -> Iterator[ConfigIssue]:
    """Regular expressions are."""
    strategy = config.strategy
    chosen = [("backbone.stages", pattern) for pattern in config.backbone.stages]
    if strategy.peft is not None:
        chosen += [("strategy.peft.target", pattern) for pattern in strategy.peft.target]
    selectors = [("strategy.lr_mult", name) for name in strategy.lr_mult]
    for i, phase in enumerate(strategy.phases):
        names = {"train": phase.train, "freeze": phase.freeze, "lr_mult": phase.lr_mult}
        selectors += [(f"strategy.phases.{i}.{field}", name) for field, found in names.items() for name in found]
    chosen += [(key, str(name).removeprefix("re:")) for key, name in selectors if str(name).startswith("re:")]
    for key, pattern in chosen:
        try:
            patterns.check(pattern)
        except patterns.Refused as error:
            yield ConfigIssue(key, str(error), pattern)


def networks_have_weights(config: Any) -> Iterator[ConfigIssue]:
    """A backbone without weights, such as raw pixels, has nothing to load, adapt, keep near or watch."""
    if "trainable" in component("backbone", config.backbone.kind).capabilities:
        return
    message = f"backbone={config.backbone.kind} has no weights"
    if config.backbone.weights != "none":
        yield ConfigIssue("backbone.weights", f"{message}; leave it at none", config.backbone.weights)
    for key in ("peft", "regulariser", "controller"):
        part = getattr(config.strategy, key)
        if part is not None and part.kind != "bss":
            yield ConfigIssue(f"strategy.{key}.kind", f"{message}; choose one that has", part.kind)


def files_are_there(config: Any) -> Iterator[ConfigIssue]:
    """Paths the configuration names exist; a data set of somebody's own knows best what its options name."""
    if not component("dataset", config.dataset.kind).module.startswith("tlx."):
        return
    for key in ("dataset.root", "dataset.file", "dataset.val_file", "dataset.test_file"):
        value = select(config, key)
        if value is not None and not name_rules.is_there(str(value)):
            yield ConfigIssue(key, f"no such file or folder, seen from {Path.cwd()}", value)


def weights_are_there(config: Any) -> Iterator[ConfigIssue]:
    """Weights given as a path exist."""
    weights = str(config.backbone.weights)
    if config.strategy.init != "pretrained" or weights in ("hub", "none") or weights.startswith(("trial:", "mlflow:")):
        return
    if weights.startswith("run:"):
        if not name_rules.is_there(weights.removeprefix("run:")):
            yield ConfigIssue("backbone.weights", f"no such folder, seen from {Path.cwd()}", weights)
    elif not name_rules.is_there(weights):
        yield ConfigIssue(
            "backbone.weights",
            "no such file; expected hub, none, a path, run:<folder>, trial:<experiment>, mlflow:<run>",
            weights,
        )


def devices_are_there(config: Any) -> Iterator[ConfigIssue]:
    """No more devices than the machine has."""
    hardware = config.hardware
    word = hardware.accelerator
    wanted = hardware.devices if hardware.devices is not None else 1
    if wanted < 1:
        yield ConfigIssue("hardware.devices", "expected at least 1", wanted)
    if hardware.nodes < 1:
        yield ConfigIssue("hardware.nodes", "expected at least 1", hardware.nodes)
    if hardware.nodes > 1 and cluster() != "slurm":
        yield ConfigIssue("hardware.nodes", "several machines are Slurm's; add hydra/launcher=slurm", hardware.nodes)
    if cluster():
        return
    if word == "gpu" and wanted > gpus():
        have = gpus()
        message = f"this machine has {have} GPU{'' if have == 1 else 's'}; use hardware=cpu or fewer devices"
        yield ConfigIssue("hardware.devices", message, wanted)
    if word == "mps" and sys.platform != "darwin":
        yield ConfigIssue("hardware.accelerator", "only on Apple machines; use hardware=auto", word)
    if word in ("auto", "cpu") and wanted > max(cores(), gpus()):
        yield ConfigIssue("hardware.devices", f"this machine has {cores()} cores; use at most that many", wanted)


def batch_divides(config: Any) -> Iterator[ConfigIssue]:
    """The batch is shared equally by devices and accumulation steps."""
    hardware = config.hardware
    count = num_micro_batches(hardware)
    if count > 0 and config.strategy.batch_size % count:
        over = "nodes x devices x accumulate" if hardware.nodes > 1 else "devices x accumulate"
        message = f"batch size {config.strategy.batch_size} is not a multiple of {over} = {count}"
        yield ConfigIssue("strategy.batch_size", message, config.strategy.batch_size)


def reuse_reads(config: Any) -> Iterator[ConfigIssue]:
    """Sizes and views are written as they are read, and enough examples go into a batch."""
    reuse = config.reuse
    if reuse.augment not in ("refuse", "off") and not _views(reuse.augment):
        yield ConfigIssue("reuse.augment", "expected refuse, off or views=K (or 'K views')", reuse.augment)
    try:
        size(reuse.disk)
    except ValueError as error:
        yield ConfigIssue("reuse.disk", str(error), reuse.disk)
    except OverflowError:
        yield ConfigIssue("reuse.disk", "expected a size that a disk can have, like '20 GB'", reuse.disk)
    if reuse.batch < 16:
        yield ConfigIssue("reuse.batch", "expected 16 or more, as smaller batches give other bits", reuse.batch)
    if reuse.precision is not None and config.hardware.precision != "32-true":
        whole = config.hardware.precision
        holds = "keeps no features" if whole == "64-true" else "computes the backbone in 16 bits already"
        message = f"hardware.precision={whole} {holds}; leave it out, or set hardware.precision=32-true"
        yield ConfigIssue("reuse.precision", message, reuse.precision)


def _views(text: str) -> int | None:
    """The number of views; None where there is none, or where it has more digits than any number of views."""
    return views(text) if len(text) < 16 else None


RULES: list[tuple[tuple[str, ...], Rule]] = [
    (("dataset",), dataset_rules.columns_make_sense),
    (("dataset",), dataset_rules.images_can_be_read),
    (("dataset",), dataset_rules.images_of_memory_are_pixels),
    (("dataset",), dataset_rules.files_of_bands_are_named),
    (("dataset",), dataset_rules.validation_is_of_shots),
    (("dataset",), split_rules.groups_are_said_once),
    (("dataset",), split_rules.folds_make_sense),
    (("dataset",), split_rules.duplicates_can_be_kept_together),
    (("dataset",), split_rules.labels_are_said_once),
    (("dataset",), split_rules.studies_have_a_test),
    (("backbone", "dataset"), dataset_rules.modality_fits),
    (("strategy",), strategy_rules.amounts_read),
    (("strategy",), strategy_rules.phases_make_sense),
    (("strategy",), strategy_rules.rates_agree),
    (("strategy",), strategy_rules.optimizer_is_known),
    (("strategy",), strategy_rules.beginning_is_known),
    (("strategy",), strategy_rules.parts_are_there),
    (("backbone", "dataset", "task", "strategy", "hardware"), strategy_rules.parts_can_do_what_is_asked),
    (("strategy", "hardware"), strategy_rules.averaging_makes_sense),
    (("strategy", "dataset", "hardware"), numbers_in_range),
    (("backbone", "strategy"), patterns_can_be_read),
    (("backbone", "strategy"), networks_have_weights),
    (("dataset",), files_are_there),
    (("backbone", "strategy"), weights_are_there),
    (("hardware",), devices_are_there),
    (("hardware", "strategy"), batch_divides),
    (("dataset", "strategy"), dataset_rules.augmentation_fits),
    (("dataset", "strategy", "task"), sampler_rules.sampler_fits),
    (("reuse",), reuse_reads),
    (("reuse",), folder_rules.features_have_a_place),
    (("reuse",), folder_rules.cache_has_a_place),
    (("hardware",), folder_rules.runs_have_a_place),
    (("backbone", "strategy", "dataset"), name_rules.names_can_be_names),
    ((), name_rules.paths_can_be_paths),
    ((), package_rules.packages_of_loggers_are_there),
    (("dataset",), limit_rules.seeds_can_be_taken),
    ((), limit_rules.studies_are_not_too_large),
    ((), study_rules.studies_can_answer),
    ((), study_rules.studies_tune_what_they_may),
    (("strategy", "task", "dataset"), study_rules.test_decides_nothing),
    ((), sweep_rules.exclusions_name_settings),
    ((), sweep_rules.searches_have_their_own_name),
    ((), limit_rules.settings_hold_no_secret),
    ((), limit_rules.numbers_are_finite),  # last: other rules say more about the same number
]
