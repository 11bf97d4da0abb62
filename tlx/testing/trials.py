"""Small trials that the checks train: a few steps on a CPU, in folders that are gone afterwards."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tlx.components.registry import component, of_group
from tlx.composition.compose import compose
from tlx.config.fields import HELP
from tlx.config.schema import Trial
from tlx.runs import layout
from tlx.runs.result import hashes
from tlx.tracking import event_log
from tlx.training import runner
from tlx.training.locate import locate
from tlx.training.module import TrialModule

BASE = ["tracking=none", "strategy.init=scratch", "strategy.batch_size=8", "strategy.budget=8 steps"]
BASE += ["strategy.validate_every=2 steps", "hardware.threads=1"]


def options_of(group: str, kind: str, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """The overrides that give a part its options.

    Raises:
        AssertionError: An option of its own does not say what it is for.
        LookupError: There is no such part.
    """
    part = component(group, kind)
    silent = [one.name for one in fields(part.config) if not one.metadata.get(HELP) and one.name != "kind"]
    silent = [name for name in silent if name not in _INHERITED.get(group, ())]
    assert not silent, f"options of {group}={kind} without help: {', '.join(silent)}"
    return {f"{group}.{name}": value for name, value in (options or {}).items()}


_INHERITED = {"dataset": ("modality",), "backbone": ("modality",)}


def composed(words: Sequence[str], output: str | Path, settings: Mapping[str, Any] | None = None) -> Trial:
    """A small trial; of two words for one key the last one counts, and choices of groups come first."""
    found = {word.partition("=")[0]: word for word in ["strategy=fine_tune", *BASE, *words, f"output={output}"]}
    groups = [word for key, word in found.items() if "." not in key]
    return compose([*groups, *(word for key, word in found.items() if "." in key)], dict(settings or {}))


_EXAMPLES = {
    "image": ["dataset=digits", "dataset.shots=4"],
    "text": ["dataset=docstrings", "dataset.shots=2"],
}


def whole(trial: Sequence[str]) -> list[str]:
    """These words, and what they lack of a trial: data that their backbone can read, a backbone that reads their data.

    Raises:
        AssertionError: No such data are known.
    """
    chosen = dict(word.split("=", 1) for word in trial if word.startswith(("backbone=", "dataset=")))
    if "dataset" not in chosen:
        modality = _modality("backbone", chosen.get("backbone", ""))
        own = (kind for kind in of_group("dataset") if _modality("dataset", kind) == modality)
        data = _EXAMPLES.get(modality) or [f"dataset={kind}" for kind in own][:1]
        assert data, f"no data set is known that gives a {modality}; name one: dataset=..."
        return whole([*data, *trial])
    modality = _modality("dataset", chosen["dataset"])
    return [*trial] if "backbone" in chosen else [f"backbone={_BACKBONES[modality]}", *trial]


_EXAMPLES = {
    "image": ["dataset=digits", "dataset.shots=4"],
    "text": ["dataset=docstrings", "dataset.shots=2"],
}
_BACKBONES = {"image": "narrow_resnet", "text": "narrow_bert", "table": "narrow_mlp"}


def _modality(group: str, kind: str) -> str:
    """What a registered part is of; images where that is not said, as of a part that a file describes."""
    part = of_group(group).get(kind)
    said = next((one.default for one in fields(part.config) if one.name == "modality"), "") if part else ""
    return said if said in _BACKBONES else "image"


@contextmanager
def own_cache() -> Iterator[None]:
    """A cache of its own for as long as the checks run."""
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, TLX_CACHE=str(Path(folder) / "cache")):
        yield


@contextmanager
def trained(words: Sequence[str], settings: Mapping[str, Any] | None = None) -> Iterator[Path]:
    """Train a small trial; its run folder."""
    with tempfile.TemporaryDirectory() as folder:
        trial = composed(words, folder, settings)
        runner.train(trial)
        yield locate(trial).path


def check_resume(name: str, words: Sequence[str], settings: Mapping[str, Any] | None = None) -> None:
    """See that an interrupted trial ends with the bits and rows of one that was not; ``name`` is in the messages."""
    words = [*words, "checkpoint.every_minutes=0"]
    with trained(words, settings) as place:
        expected = hashes(place), _rows(place)
    with tempfile.TemporaryDirectory() as folder:
        trial = composed(words, folder, settings)
        place, whole = locate(trial).path, TrialModule.on_train_epoch_end

        def interrupted(module: TrialModule) -> None:
            whole(module)
            if module.state.rounds == 2:
                raise _InterruptError

        try:
            with patch.object(TrialModule, "on_train_epoch_end", interrupted):
                runner.train(trial)
        except _InterruptError:
            assert any((place / one).is_file() for one in layout.STATES), "no state was saved"
        runner.train(replace(trial))
        found = hashes(place), _rows(place)
    assert found[0] == expected[0], f"{name}: an interrupted trial ends with other bits than one that was not"
    assert found[1] == expected[1], f"{name}: an interrupted trial records other rows than one that was not"


class _InterruptError(Exception):
    """The trial is interrupted here."""


def _rows(place: Path) -> list[tuple[Any, ...]]:
    """Of all rounds, in order, whatever was recorded before and after the interruption."""
    return sorted((row["step"], *sorted(row["values"].items(), key=str)) for row in event_log.metrics(place))
