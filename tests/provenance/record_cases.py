"""What can be done to the record of a finished run: each case alters the folder, and says what has to be noticed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.provenance.tampering import drop_rows, edit_rows, flip_bit, promise, replace_text, reseal
from tlx.runs import layout, manifest
from tlx.tracking import event_log
from tlx.tracking.log_integrity import metrics_sha

NAME = "test/acc"
FORGED = 0.99


@dataclass(frozen=True)
class RecordCase:
    """One thing done to the record.

    Args:
        done: In words.
        alter: Does it, to a copy of a finished run; also given is another finished run.
        says: What the reason has to say.
        grades: What the verdict may be.
        cheap: It is one of the ordinary suite.
    """

    done: str
    alter: Callable[[Path, Path], Any]
    says: str
    grades: frozenset[str] = frozenset({"altered"})
    cheap: bool = False


def _metric(file: str) -> Callable[[Path, Path], None]:
    """Edit a metric in a sealed file."""

    def alter(run: Path, _: Path) -> None:
        if file == layout.RESULT:
            reseal(run / file, lambda row: row["metrics"].update({NAME: FORGED}))
        elif file == layout.MANIFEST:
            reseal(run / file, lambda row: row["results"]["metrics"].update({NAME: FORGED}))
        else:
            edit_rows(run, "metrics", lambda row: row["values"].update({NAME: FORGED} if NAME in row["values"] else {}))

    return alter


def _all_metrics(run: Path, other: Path) -> None:
    for file in (event_log.FILE, layout.MANIFEST, layout.RESULT):
        _metric(file)(run, other)
    promise(run)


def _everything(run: Path, other: Path) -> None:
    _all_metrics(run, other)
    reseal(run / layout.MANIFEST, lambda row: row["results"].update(metrics_sha=metrics_sha(run)))
    promise(run)


def _record(edit: Callable[[dict[str, Any]], Any]) -> Callable[[Path, Path], None]:
    """Edit ``repro.json``, seal it, and let the result name it."""

    def alter(run: Path, _: Path) -> None:
        reseal(run / layout.MANIFEST, edit)
        promise(run)

    return alter


def _unsealed(run: Path, _: Path) -> None:
    text = (run / layout.MANIFEST).read_text()
    (run / layout.MANIFEST).write_text(f"{text[: text.rindex(',')]}\n}}\n")
    promise(run)


def _gone(run: Path, _: Path) -> None:
    (run / layout.MANIFEST).unlink()
    promise(run)


def _log(run: Path, lines: int | None) -> None:
    text = (run / event_log.FILE).read_text().splitlines(keepends=True)
    (run / event_log.FILE).write_text("".join(text[:lines] if lines is not None else []))


def _torn(run: Path, _: Path) -> None:
    """A line that a power cut left, behind which the trial went on."""
    lines = (run / event_log.FILE).read_text().splitlines(keepends=True)
    (run / event_log.FILE).write_text("".join([*lines[:2], f"{lines[2][:30]}\n", *lines[2:]]))


def _replace(name: str) -> Callable[[Path, Path], None]:
    def alter(run: Path, other: Path) -> None:
        shutil.copy(other / name, run / name)
        promise(run)

    return alter


CASES = [
    RecordCase("nothing", lambda run, _: None, "to the last bit", frozenset({"bitwise"}), cheap=True),
    RecordCase(
        "result.json: a metric, by hand",
        lambda run, _: replace_text(run / layout.RESULT, f'"{NAME}": 0.', f'"{NAME}": 9.'),
        "result.json is torn or was altered",
        cheap=True,
    ),
    RecordCase("result.json: a metric, sealed anew", _metric(layout.RESULT), f"says {NAME}", cheap=True),
    RecordCase(
        "result.json: the steps, by hand",
        lambda run, _: replace_text(run / layout.RESULT, '"steps": 9', '"steps": 8'),
        "result.json is torn or was altered",
    ),
    RecordCase(
        "result.json: the steps, sealed anew",
        lambda run, _: reseal(run / layout.RESULT, lambda row: row.update(steps=8)),
        "events.jsonl says steps 9, result.json 8",
        cheap=True,
    ),
    RecordCase(
        "result.json: the fingerprint of the data, sealed anew",
        lambda run, _: reseal(run / layout.RESULT, lambda row: row["facts"].update(data="0" * 32)),
        f"result.json {'0' * 32}",
    ),
    RecordCase(
        "result.json: the identity, sealed anew",
        lambda run, _: reseal(run / layout.RESULT, lambda row: row.update(identity="0" * 16)),
        "says identity",
    ),
    RecordCase("result.json, repro.json and the log: a metric, each sealed anew", _all_metrics, "has the hash of"),
    RecordCase(
        "the same, and the hash of the log's metrics with it", _everything, f"{NAME} is", frozenset({"different"})
    ),
    RecordCase(
        "event log: a row, by hand",
        lambda run, _: replace_text(run / event_log.FILE, '"val/loss": 2.', '"val/loss": 1.'),
        "of events.jsonl is not what was written",
        cheap=True,
    ),
    RecordCase(
        "event log: its rows of metrics, sealed anew",
        lambda run, _: edit_rows(run, "metrics", lambda row: row["values"].pop("train/loss", None)),
        "the metrics in events.jsonl are not those",
        cheap=True,
    ),
    RecordCase("event log: the last metrics", _metric(event_log.FILE), f"events.jsonl says {NAME} {FORGED}"),
    RecordCase("event log: a row removed", lambda run, _: drop_rows(run, 1, 2), "the metrics in events.jsonl are not"),
    RecordCase(
        "event log: cut off",
        lambda run, _: _log(run, 5),
        "events.jsonl says steps 3, result.json 9",
        cheap=True,
    ),
    RecordCase("event log: emptied", lambda run, _: _log(run, None), "events.jsonl has no metrics"),
    RecordCase(
        "event log: a line torn by a power cut", _torn, "to the last bit", frozenset({"bitwise"})
    ),  # what it held was written again
    RecordCase(
        "repro.json: a metric, by hand",
        lambda run, _: replace_text(run / layout.MANIFEST, f'"{NAME}": 0.', f'"{NAME}": 9.'),
        "repro.json has no valid checksum",
        cheap=True,
    ),
    RecordCase(
        "repro.json: a metric, sealed anew",
        _record(lambda row: row["results"]["metrics"].update({NAME: FORGED})),
        f"repro.json says {NAME} {FORGED}, result.json 0.",
        cheap=True,
    ),
    RecordCase(
        "repro.json: the version of a package, by hand",
        lambda run, _: replace_text(run / layout.MANIFEST, '"timm": "', '"tinn": "'),
        "repro.json has no valid checksum",
    ),
    RecordCase(
        "repro.json: the version of torch, sealed anew",
        _record(lambda row: row["software"].update(torch="1.0")),
        "to the last bit",
        frozenset({"bitwise"}),  # its bits are the same; the row says that the version is not
    ),
    RecordCase(
        "repro.json: the fingerprint of the data, sealed anew",
        _record(lambda row: row["data"].update(data="0" * 32)),
        f"repro.json says data {'0' * 32}",
    ),
    RecordCase("repro.json: its results, sealed anew", _record(lambda row: row.update(results={})), "has no hashes"),
    RecordCase("repro.json: its checksum removed", _unsealed, "repro.json has no valid checksum", cheap=True),
    RecordCase("repro.json: removed", lambda run, _: (run / manifest.FILE).unlink(), "repro.json is gone"),
    RecordCase("repro.json: removed, result.json names it no more", _gone, "repro.json is gone"),
    RecordCase(
        "checkpoint: a bit",
        lambda run, _: flip_bit(run / layout.CHECKPOINT, -5),
        "checkpoint.safetensors is not the file that repro.json has the hash of",
        cheap=True,
    ),
    RecordCase("checkpoint: another run's", _replace(layout.CHECKPOINT), "checkpoint.safetensors is not the file"),
    RecordCase(
        "predictions: a bit",
        lambda run, _: flip_bit(run / layout.PREDICTIONS, -5),
        "predictions.jsonl is not the file",
    ),
    RecordCase(
        "predictions: cut off",
        lambda run, _: (run / layout.PREDICTIONS).write_text("{}\n"),
        "predictions.jsonl has 3 bytes",
    ),
    RecordCase("predictions: another run's", _replace(layout.PREDICTIONS), "predictions.jsonl is not the file"),
    RecordCase(
        "config.yaml: a setting, of the same length",
        lambda run, _: replace_text(run / layout.CONFIG, "\nseed: 0\n", "\nseed: 7\n"),
        "config.yaml is not the file that repro.json has the hash of: seed 0 -> 7",
        cheap=True,
    ),
    RecordCase("config.yaml: another run's", _replace(layout.CONFIG), "config.yaml is not the file"),
    RecordCase("schema.json: a bit", lambda run, _: flip_bit(run / layout.SCHEMA, 20), "schema.json is not the file"),
]
