"""From overrides to a checked configuration: the one way, for a trial by itself and for each of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from tlx.components import plugins
from tlx.composition import check, choices, interpolations, request, rules, schema_checks
from tlx.composition.diagnosis import begin_parts, diagnose, located
from tlx.composition.request import Setting
from tlx.composition.tree import refers, tree
from tlx.composition.words import Words, written
from tlx.config import schema
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial


def compose(overrides: Words = (), values: Mapping[str, Any] | None = None, **given: Any) -> Trial:
    """Compose and check one trial. Nothing heavy is imported and nothing is started.

    Example:
        >>> compose("backbone=resnet18 strategy=fine_tune dataset=digits", seed=3)

    This is the one way from words to a configuration: training, planning, sweeps, studies and searches take it. Hydra
    composes the choices; settings are laid over what it has composed before any interpolation is resolved.

    Args:
        overrides: Of one trial: words in Hydra's grammar, one text of them, or keys and values, nested or dotted.
        values: Settings to be laid over those, by their dotted keys, and choices by their groups, as a study or a
            search varies them.
        given: More keys and values, after the overrides: ``seed=3``, ``strategy={"choice": "fine_tune", "lr": 0.1}``.

    Raises:
        ConfigError: With every problem found.
    """
    plugins.load()
    words = written(overrides, given)
    asked = request.read(words, values)
    try:
        base = tree(asked.words) if asked.is_sound else None
    except ConfigError as error:
        raise ConfigError(diagnose(asked) or error.problems) from None
    if base is None:
        raise ConfigError(diagnose(asked))
    by_hand = base.sweep.varied or any(word.lstrip("+").startswith("sweep.varied=") for word in words)
    begin_parts(base, asked.settings)
    problems = check.settings(base, asked.settings)
    problems += [ConfigIssue("sweep.varied", "the sweep fills it in; leave it out")] if by_hand else []
    if any(setting.adds for setting in asked.settings):
        problems += schema_checks.extras(base)
    if refers(asked.words) and (broken := schema_checks.references(base)):  # nothing else can be asked of it then
        raise ConfigError(located([*problems, *broken], request.with_files(asked)))
    trial = None if problems else _whole(base)
    problems += schema_checks.values(base, set()) if trial is None else schema_checks.words(trial)
    problems += rules.across(trial or base, set())
    if problems or trial is None:
        raise ConfigError(located(problems, request.with_files(asked)))
    trial.group = trial.group or asked.chosen(schema.EXPERIMENT)
    for text in interpolations.texts([setting.value for setting in asked.settings]):
        interpolations.announce(interpolations.variables(text))
    return trial


def _whole(base: DictConfig) -> Trial | None:
    """The configuration as objects; None where a value is missing."""
    try:
        trial = OmegaConf.to_object(base)
    except MissingMandatoryValue:
        return None
    assert isinstance(trial, Trial)
    return trial


def with_overrides(trial: Trial, values: Mapping[str, Any]) -> Trial:
    """Change some settings of a recorded trial, whose interpolations are resolved already.

    Args:
        trial: It stays as it is.
        values: Settings by their dotted keys.

    Raises:
        ConfigError: The changed trial is not right.
    """
    config = OmegaConf.structured(trial)
    problems = check.settings(config, [Setting(key, value) for key, value in values.items()])
    problems += schema_checks.values(config, set())
    changed = OmegaConf.to_object(config) if not problems else None
    problems += rules.across(changed or config, set())
    if problems:
        raise ConfigError(problems)
    assert isinstance(changed, Trial)
    return changed


def compose_group(group: str, overrides: Sequence[str]) -> Any:
    """Compose one group's options by themselves; raises :class:`ConfigError`."""
    asked = request.read(overrides)
    problems = [*asked.problems, *(p for p in choices.problems(asked) if p.key not in schema.REQUIRED)]
    if not problems:
        chosen = [f"{name}={one.value}" for name, one in asked.choices.items() if name == group]
        base = tree((*chosen, *(f"~{name}" for name in schema.REQUIRED if name != group)))
        strangers = [one.key for one in asked.settings if not one.key.startswith(f"{group}.")]
        problems = [ConfigIssue(key, f"expected settings of {group} only") for key in strangers]
        problems += check.settings(base, [one for one in asked.settings if one.key not in strangers])
        problems += schema_checks.references(base) or rules.across(base, set(schema.GROUPS) - {group})
    if problems:
        raise ConfigError(problems)
    return OmegaConf.to_object(base[group])
