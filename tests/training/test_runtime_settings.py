"""What says where and how a trial runs decides no number: each such option is varied, and the bits are compared.

An option may be marked as changing the last bits by rounding (``rounding_only``); then whoever asks for another value
than a result was made with is told. ``pytest -s`` shows what was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch

import tlx
from tlx.components import groups
from tlx.composition import rules
from tlx.config.errors import ConfigError
from tlx.config.fields import IDENTITY, ROUNDING
from tlx.config.rounding import asked_for
from tlx.config.schema import GROUPS
from tlx.runs import result as results
from tlx.training.locate import locate

SHORT = ("strategy.batch_size=8", "strategy.budget=4 steps", "strategy.validate_every=2 steps", "tracking=none")
HERE = ("hardware.threads=1", "hardware.accelerator=cpu", "hardware.accumulate=2", "reuse.when=always")
IMAGES = ("dataset=digits", "dataset.shots=4")
NUMBERS = ("dataset.file=t.csv", "dataset.label=y", "dataset.label_type=number")
# Adam divides by the size of a gradient: where that is rounding and nothing else, steps are as large as any others
SGD = "strategy.optimizer=sgd"
FAMILIES = {
    "head": ("backbone=pixels", "strategy=feature_extraction", SGD, *IMAGES),
    "fine_tune": ("backbone=narrow_resnet", "strategy=fine_tune", "strategy.keep=best", *IMAGES),
    "features": ("backbone=narrow_resnet", "strategy=feature_extraction", *IMAGES),
    "text": ("backbone=narrow_bert", "strategy=fine_tune", "dataset=docstrings", "dataset.shots=2", SGD),
    "table": ("backbone=narrow_mlp", "strategy=fine_tune", "dataset=tabular", *NUMBERS),
}


@dataclass(frozen=True)
class Vary:
    """Another value of an option.

    Attributes:
        words: Overrides that give it; none where other processes are needed to train it.
        asked: Overrides with which a finished trial is asked for, where these are others.
        trains: Can it be trained in a second, in this process?
    """

    words: tuple[str, ...]
    asked: tuple[str, ...] = ()
    trains: bool = True


def to(*words: str, asked: tuple[str, ...] = (), trains: bool = True) -> Vary:
    """Another value, by overrides."""
    return Vary(words, asked or words, trains)


ROUNDING_ERROR = {"fine_tune": 1e-4}  # the most of a loss after four steps in 32 bits, where it is not the usual
USUAL = 1e-5
BY_CONTENT = "its content counts: tests/data/test_fingerprint.py, tests/config/test_identity_of_files.py"
PLANNED = "read where a network is planned that is not on this machine"
MANY = "makes other trials of one, each with an identity of its own"
VALUES: dict[str, Vary | str] = {
    "backbone.alias": to("backbone.alias=mine"),
    "backbone.architecture": PLANNED,
    "backbone.settings": PLANNED,
    "strategy.name": to("strategy.name=mine"),
    "strategy.audit": to("strategy.audit=off"),
    "dataset.name": to("dataset.name=mine"),
    "dataset.root": BY_CONTENT,
    "dataset.file": BY_CONTENT,
    "dataset.val_file": BY_CONTENT,
    "dataset.test_file": BY_CONTENT,
    "dataset.eval_batch_size": to("dataset.eval_batch_size=7"),
    "hardware.accelerator": to("hardware.accelerator=auto", asked=("hardware.accelerator=gpu",)),
    "hardware.devices": to(asked=("hardware.devices=2", "hardware.accumulate=1")),  # trained in test_ddp.py
    "hardware.nodes": "machines are Slurm's: tests/orchestration/test_slurm.py",
    "hardware.threads": to("hardware.threads=2"),
    "hardware.workers": to("hardware.workers=1"),
    "hardware.image_memory": to("hardware.image_memory=0"),
    "hardware.accumulate": to(asked=("hardware.devices=2", "hardware.accumulate=1")),
    "hardware.deterministic": to("hardware.deterministic=never"),
    "hardware.compile": to("hardware.compile=true", trains=False),
    "hardware.gradient_checkpointing": to("hardware.gradient_checkpointing=true"),
    "hardware.distributed": to("hardware.distributed=fsdp"),
    "reuse.when": to("reuse.when=off"),
    "reuse.disk": to("reuse.disk=1 MB"),
    "reuse.folder": to("reuse.folder=features"),
    "reuse.batch": to("reuse.batch=23"),
    "checkpoint.every_minutes": to("checkpoint.every_minutes=0"),
    "checkpoint.every_steps": to("checkpoint.every_steps=1"),
    "checkpoint.frozen": to("checkpoint.frozen=referenced"),
    "tracking.kind": to("tracking.kind=mlflow", trains=False),
    "tracking.uri": to("tracking.uri='sqlite:///other.db'"),
    "tracking.experiment": to("tracking.experiment=mine"),
    "tracking.patience": to("tracking.patience=1"),
    "loggers.csv": to("loggers.csv={}"),
    "loggers.tensorboard": to("loggers.tensorboard={}"),
    "loggers.wandb": "needs a package that no test has",
    "group": to("group=mine"),
    "output": to("group=mine"),  # each is trained in another
    "study": MANY,
    "search": MANY,
    "sweep.retry": to("sweep.retry=never"),
    "sweep.max_trials": to("sweep.max_trials=3"),
    "sweep.name": to("sweep.name=mine"),
    "sweep.exclude": to("sweep.exclude=[{seed: 99}]"),
    "sweep.on_failure": to("sweep.on_failure=stop"),
    "sweep.minutes": to("sweep.minutes=5"),
    "sweep.varied": "the sweep fills it in",
}


def runtime_options() -> dict[str, bool]:
    """Every option that is no part of an identity, of every part there is; is it marked as rounding?"""
    found = dict(_walked(groups.trial_schema(), "", False))
    for group in GROUPS:
        for kind in groups.options(group).values():
            found |= dict(_walked(kind, f"{group}.", group == "tracking"))
    return {key: marked for key, marked in found.items() if key not in GROUPS}


def _walked(kind: type, path: str, off: bool) -> Iterator[tuple[str, bool]]:
    hints = get_type_hints(kind)
    for one in fields(kind):
        outside = off or not one.metadata.get(IDENTITY, True)
        if isinstance(hint := hints[one.name], type) and is_dataclass(hint):
            yield from _walked(hint, f"{path}{one.name}.", outside)
        elif outside:
            yield f"{path}{one.name}", bool(one.metadata.get(ROUNDING))


Bits = tuple[dict[str, float | None], dict[str, str]]


def bits(words: tuple[str, ...]) -> Bits:
    """Metrics, and hashes of weights and predictions, of a trial that is trained."""
    trial = tlx.compose(words)
    assert locate(trial).result() is None, words
    found = tlx.train(trial, quiet=True)
    return found.metrics, results.hashes(locate(trial).path)


def asked(words: tuple[str, ...]) -> str:
    """The first line of whoever asks for a finished trial."""
    lines: list[str] = []
    tlx.train(tlx.compose(words), lines.append)
    return lines[0]


@pytest.fixture(autouse=True)
def _machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "gpus", lambda: 1)
    monkeypatch.setattr(rules, "cores", lambda: 4)
    torch.set_num_threads(1)
    values = np.random.default_rng(0).normal(size=(60, 3))
    rows = [f"{a:.4f},{b:.4f},{a - b + c / 9:.4f}" for a, b, c in values]
    (folder / "t.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")


def check(family: str, key: str, marked: bool, base: Bits, words: tuple[str, ...], *, all_train: bool) -> str:
    """Vary one option of a finished trial; what was found, for the table."""
    vary = VALUES[key]
    if isinstance(vary, str):
        return f"not varied: {vary}"
    trial = tlx.compose(_over(words, (*vary.asked, "output=base")))
    assert locate(trial).identity == locate(tlx.compose(words)).identity, key
    line = asked(_over(words, (*vary.asked, "output=base")))
    assert line.startswith("already finished"), key
    assert (f"made with {key}=" in line or f", {key}=" in line) == marked, f"{key}: {line}"
    if not vary.words or not (vary.trains or all_train):
        return "said" if marked else "not trained"
    try:
        found = bits(_over(words, (*vary.words, f"output=other-{key}")))
    except ConfigError as error:
        return f"refused: {error.problems[0].message}"
    same = found == base
    assert same or marked, f"{key} changes the numbers of {family}"
    apart = max(_apart(base[0][name], found[0][name]) for name in base[0] if name.endswith("loss"))
    assert apart < ROUNDING_ERROR.get(family, USUAL), (
        f"{key} changes the losses of {family} by {apart:.1g}, which is no rounding"
    )
    return f"{'same bits' if same else f'losses {apart:.0e} apart'}{', and said' if marked else ''}"


def _apart(one: float | None, other: float | None) -> float:
    """The difference of two losses, as a share."""
    assert one is not None
    assert other is not None
    return abs(one - other) / max(abs(one), 1e-12)


def _over(words: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Overrides; of two for one key the last counts."""
    found = {word.partition("=")[0]: word for word in (*words, *more)}
    return tuple(found.values())


def varied(family: str, *, all_train: bool) -> None:
    """Vary every option of a family, and print the table."""
    words = (*FAMILIES[family], *SHORT, *HERE, "output=base")
    base = bits(words)
    print()
    for key, marked in runtime_options().items():
        found = check(family, key, marked, base, words, all_train=all_train)
        print(f"{key:<32} {family:<10} {found}")


def test_every_option_outside_of_the_identity_has_a_value_here() -> None:
    """Nobody adds one unseen: give it another value above, or say why it has none."""
    assert set(runtime_options()) == set(VALUES)


def test_what_is_marked_is_what_is_settled_and_recorded() -> None:
    marked = {key for key, one in runtime_options().items() if one}
    assert set(asked_for(tlx.compose((*FAMILIES["head"], *SHORT)))) == marked


@pytest.mark.long
def test_none_of_them_changes_a_head() -> None:
    varied("head", all_train=False)


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_none_of_them_changes_a_number(family: str) -> None:
    """SWA is left out: its BatchNorm statistics are taken from batches in an order of their own."""
    varied(family, all_train=True)


def test_a_sweep_says_it_once(said: Any) -> None:
    words = [*FAMILIES["head"], *SHORT, "seed=0,1", "--jobs", "1"]
    for seed in (0, 1):
        tlx.train(tlx.compose([*words[:-3], f"seed={seed}", "hardware.threads=2"]), quiet=True)
    found = said("sweep", *words)
    assert "2 of 2 finished trials were made with other hardware.threads (2; asked for 1)" in found
    assert found.count("asked for") == 1
