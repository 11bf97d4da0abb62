"""tlx predict RUN INPUT... [--out FILE]: what a finished trial's model says of new inputs.

tlx predict runs/resnet18-fine_tune-birds-s0-... robin.jpg more/           images, and folders of them
tlx predict RUN more/ --out predictions.csv --top-k 3                      or .jsonl, .parquet
tlx predict RUN houses.csv --out prices.parquet                            a table: CSV, JSON lines, Parquet, SQLite
cat reviews.txt | tlx predict RUN - --json                                 a text a line, or JSON lines; answers as JSON
tlx predict RUN more/ --features --out embeddings.parquet                  what the backbone makes of them
tlx predict RUN more/ --features 2                                         after its second block, averaged

RUN is a run folder, a sweep of one trial, an MLflow run, a bundle or models:/NAME/VERSION; no data set is needed.
Columns of a table are found by the names that the trial knows them by. Without --out, answers go to standard output.

--top-k N           the N classes of the highest probabilities, too
--batch-size N      inputs at a time; without, as many as in the trial's own test, which gives the same bits
--device auto       cpu, cuda or mps; auto: as the trial's hardware says
--on-bad error      what cannot be read is named, and nothing is written (exit code 1); skip leaves it out, and says so
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tlx.cli import target
from tlx.cli.arguments import Arguments, number
from tlx.composition.name_rules import path_fault
from tlx.config.augmentation import views_said
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files.printable import printable
from tlx.reports.console import Terminal

_DEPTH = re.compile(r"-?[0-9]{1,4}")
_NONE = "\0tlx"  # no file begins so
_PERIOD = 30.0  # seconds between lines where there is no terminal


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.value("--out", "a file to write")
    arguments.value("--top-k", "a number of classes")
    arguments.value("--features", "the number of a block")
    arguments.value("--batch-size", "a number of inputs")
    arguments.value("--device", "auto, cpu, cuda or mps")
    arguments.value("--on-bad", "error or skip")
    arguments.flag("--json")
    asked = arguments.take(_with_depth(words))
    problems = []
    if len(asked.words) < 2:
        shown = " ".join(asked.words) or "nothing"
        problems.append(ConfigIssue("predict", "expected a run and at least one input: tlx predict RUN photos/", shown))
    if asked.on_bad not in (None, "error", "skip"):
        problems.append(ConfigIssue("--on-bad", "expected error or skip", asked.on_bad))
    if asked.features is not None and not _DEPTH.fullmatch(asked.features):
        problems.append(ConfigIssue("--features", "expected the number of a block, as 2 or -1", asked.features))
    if asked.features is not None and asked.top_k is not None:
        problems.append(ConfigIssue("--top-k", "goes with predictions, not with --features", asked.top_k))
    if asked.json and asked.out is not None:
        problems.append(ConfigIssue("--json", "is of standard output; name a .jsonl file: --out answers.jsonl"))
    if asked.out is not None and (fault := path_fault(asked.out)):
        problems.append(ConfigIssue("--out", fault, asked.out))
    if problems:
        raise ConfigError(problems)
    asked.top_k = number(asked.top_k, "--top-k", "a number of classes")
    asked.batch_size = number(asked.batch_size, "--batch-size", "a number of inputs")
    out = Path(asked.out).expanduser() if asked.out is not None else None
    if out is not None:
        _check(out)
    return _predict(asked, out)


def _with_depth(words: list[str]) -> list[str]:
    """Options with the depth that ``--features`` has or has not."""
    found: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word == "--features":
            depth = waiting.pop(0) if waiting and _DEPTH.fullmatch(waiting[0]) else "-1"
            word = f"--features={depth}"
        found.append(word)
    return found


def _check(out: Path) -> None:
    """See that the file can be written, and is none of somebody else's."""
    from tlx.prediction import writers

    suffix = out.suffix.lower()
    if suffix not in writers.SUFFIXES:
        raise ConfigError([ConfigIssue("--out", f"expected a file of {', '.join(writers.SUFFIXES)}", out)])
    own = any(target.begins(out, mark) for mark in writers.MARKS.get(suffix, ()))
    own = own or (suffix == ".parquet" and writers.is_own_parquet(out))
    target.check("--out", out, "" if own else _NONE, "file of tlx predict")


def _predict(asked: Any, out: Path | None) -> int:
    from tlx.prediction import writers
    from tlx.prediction.embedding import pooled
    from tlx.prediction.machine import as_tested
    from tlx.prediction.sources import inputs_of
    from tlx.prediction.values import InvalidInput
    from tlx.serving.find import load
    from tlx.training.quiet import quiet

    console = Terminal(stderr=True)
    model = load(asked.words[0], asked.device or "auto")
    depth = int(asked.features) if asked.features is not None else None
    compute = model.predicting(asked.top_k) if depth is None else model.embedding(depth)
    if depth is None and model.trial.dataset.test_augment:
        console.print(f"predicted is {views_said(model.trial.dataset.test_augment)}")
    inputs = inputs_of(asked.words[1:], model.trial, model.inputs, model.limits)
    names: list[str] = []

    def values() -> Iterator[Any]:
        for name, value in inputs.examples:
            names.append(name)
            yield value

    bad: list[str] = []
    skips = asked.on_bad == "skip"
    count = 0
    try:
        with (
            quiet(),
            as_tested(model.trial, model.device),
            _written(out, asked.json, model) as writer,
            _Shown(console, inputs.count) as shown,
        ):
            # once one is bad and none may be, the others are looked at, and not computed
            wanted = compute if skips else lambda batch: [None] * len(batch) if bad else compute(batch)
            for found in model.stream(values(), wanted, asked.batch_size):
                name = names.pop(0)
                shown.step()
                if isinstance(found, InvalidInput):
                    bad.append(f"{name}: {found}")
                elif skips or not bad:
                    as_list = asked.json or (out is not None and out.suffix.lower() == ".jsonl")
                    writer.write(name, found if depth is None else writers.features(pooled(found).tolist(), as_list))
                    count += 1
            if bad and not skips:
                raise _Bad
    except _Bad:
        pass
    for line in bad:
        console.print(f"{'skipped' if skips else 'cannot be read'}: {printable(line)}")
    for note in inputs.notes:
        console.print(printable(note))
    if bad and not skips:
        written = "nothing was written" if out is not None else "what came before them was"
        console.print(f"tlx: {len(bad):,} cannot be read; {written}; --on-bad skip leaves them out")
        return 1
    left = f", {len(bad):,} skipped" if bad else ""
    console.print(f"{count:,} predicted{left}" + (f": {printable(out)}" if out is not None else ""))
    return 0


class _Bad(Exception):
    """Some inputs cannot be read, and all were to be."""


@contextmanager
def _written(out: Path | None, as_json: bool, model: Any) -> Iterator[Any]:
    from tlx.prediction import writers

    if out is None:
        yield writers.JsonLines(sys.stdout.write) if as_json else writers.Csv(sys.stdout)
        return
    with writers.writing(out, model.identity, model.schema) as writer:
        yield writer


class _Shown:
    """How many were predicted: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Terminal, total: int | None) -> None:
        from tlx.reports.bar import bar

        self._console, self._total = console, total
        self._bar = bar(console, transient=True)
        self._task = self._bar.add_task("predicted", total=total, left="")
        self._count, self._said = 0, time.monotonic()

    def __enter__(self) -> _Shown:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self) -> None:
        """One more."""
        self._count += 1
        self._bar.update(self._task, completed=self._count)
        if self._bar.disable and time.monotonic() - self._said > _PERIOD:
            self._said = time.monotonic()
            self._console.print(f"{self._count:,}{f' of {self._total:,}' if self._total else ''} predicted")
