"""Whatever is typed, or stands in an experiment file: a trial, or the problems as a block; never a traceback."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as some

import tlx
from tlx.config.errors import ConfigError

KEYS = [
    "backbone", "strategy", "dataset", "task", "hardware", "experiment", "reuse", "tracking", "seed", "output", "group",
    "strategy.lr", "strategy.budget", "strategy.phases", "strategy.phases.0.train", "strategy.lr_mult", "strategy.peft",
    "strategy.schedule", "strategy.optimizer.args", "dataset.shots", "dataset.file", "backbone.name", "backbone.args",
    "hardware.devices", "hardware.precision", "checkpoint.every_steps", "tracking.uri", "study.arms", "search.space",
    "hydra.launcher.n_jobs", "nothing", "strategy.nothing", "",
]  # fmt: skip
VALUES = [
    "timm", "fine_tune", "digits", "pixels", "quickstart", "search_rates", "null", "true", "1", "-1", "1e400", "nan",
    "0.5", "50%", "-3 steps", "10 epochs", "[]", "{}", "[{train: [head]}]", "[{train: 3}]", "{a: 1}",
    "../../etc/passwd", "file:x", "os.system", "!!python/object/apply:os.system [id]", "${oc.env:HOME}", "${seed}",
    "${", "a,b", "choice(1,2)", "'", '"', "{", "[", "\\", "é", "\x00", "postgresql://user:secret@nowhere/db",
]  # fmt: skip
words = some.builds(
    lambda sign, key, equals, value: f"{sign}{key}{equals}{value}",
    some.sampled_from(["", "", "", "+", "++", "~"]),
    some.one_of(some.sampled_from(KEYS), some.text(max_size=12)),
    some.sampled_from(["=", "=", "=", "", "==", "@"]),
    some.one_of(some.sampled_from(VALUES), some.text(max_size=20), some.floats().map(str), some.integers().map(str)),
)


def composed(overrides: list[str]) -> None:
    before = sorted(Path.cwd().rglob("*"))
    problems = []
    try:
        tlx.compose(overrides)
    except ConfigError as error:
        problems = error.problems
    assert all(problem.message for problem in problems)
    assert sorted(Path.cwd().rglob("*")) == before


@given(some.lists(words, max_size=5))
@example(["experiment=../../etc/passwd"])
@example(["backbone=../../../etc/passwd"])
@example(["strategy.lr=${oc.env:HOME}"])
@example(["strategy.lr_mult=${oc.env:HOME}"])
@example(["strategy.phases=${oc.env:HOME}"])
@example(["strategy.peft=${oc.env:HOME}"])
def test_any_words(overrides: list[str]) -> None:
    composed(["backbone=pixels", "dataset=digits", *overrides])


@given(some.one_of(some.text(max_size=80), some.recursive(some.sampled_from(VALUES), lambda inner: some.one_of(
    some.lists(inner, max_size=3).map(lambda parts: "[" + ", ".join(parts) + "]"),
    some.lists(some.tuples(some.sampled_from(KEYS), inner), max_size=3).map(
        lambda parts: "{" + ", ".join(f"{key}: {value}" for key, value in parts) + "}")), max_leaves=8)))  # fmt: skip
def test_any_experiment_file(folder: Path, text: str) -> None:
    (folder / "experiments").mkdir(exist_ok=True)
    file = folder / "experiments" / "mine.yaml"
    file.write_text(f"# @package _global_\n{text}\n", encoding="utf-8", errors="replace")
    composed(["experiment=mine"])
