"""Run folders of others, altered in every way: verbs answer or refuse, and do nothing that the folder asks for."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as some

import tlx
from tests.conftest import Said
from tests.files.test_foreign import trees
from tlx.cli import main
from tlx.config.errors import ConfigError, RequestError
from tlx.files.checksum import with_checksum, without_checksum
from tlx.orchestration import status
from tlx.orchestration.backends.slurm import FOLDER, SUBMISSION
from tlx.provenance import repetitions, reproduce
from tlx.provenance.integrity import contradictions
from tlx.runs import folder as folders
from tlx.runs import layout
from tlx.runs import result as results
from tlx.runs.failure_reason import failure_reason, told
from tlx.runs.recover import recover
from tlx.tracking import event_log
from tlx.training.locate import locate
from tlx.training.network import trained
from tlx.training.resume import _read

WORDS = ["backbone=pixels", "strategy=feature_extraction", "dataset=digits", "strategy.budget=4 steps", "tracking=none"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, never changed."""
    root = tmp_path_factory.mktemp("theirs")
    trial = tlx.compose([*WORDS, f"output={root / 'runs'}"])
    tlx.train(trial)
    return locate(trial).path


@pytest.fixture
def copied(run: Path, folder: Path) -> Path:
    """A copy of it, to be changed."""
    place = folder / "theirs" / run.name
    shutil.copytree(run, place)
    return place


@pytest.fixture
def refusals(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a verb says that has to answer, or refuse, without a traceback."""

    def ask(*words: str) -> str:
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        assert code in (0, 1, 2), out + err
        assert "Traceback" not in out + err
        return out + err

    return ask


DEEP = "[" * 100_000 + "]" * 100_000
ODD: list[Any] = [None, [], {}, "", 0, -1, 10**30, 1e308, float("nan"), "\x1b[31m", "a\nb", [[]], {"a": None}, True]


def sweep_of(place: Path) -> Path:
    """A sweep beside a run, with it as its only trial."""
    folder = place.parent / "sweep-01234567"
    folder.mkdir(exist_ok=True)
    (folder / event_log.FILE).unlink(missing_ok=True)
    record = event_log.EventLog(folder)
    record.begin(kind="sweep", tags={"tlx.kind": "sweep"})
    record.write("trials", folders=[place.name])
    return folder


def altered(place: Path, name: str, tree: object) -> None:
    """Put another value where a file's is, sealed as ours would be where the file is."""
    if isinstance(tree, dict) and name in (layout.RESULT, layout.MANIFEST):
        (place / name).write_text(with_checksum(json.dumps(tree)) if tree else "{}")
    else:
        (place / name).write_text(json.dumps(tree))


BESIDE = ["together.json", "mlflow.json", layout.PREPARED, "state.pt"]  # what no finished trial is made of
NAMES = [layout.RESULT, layout.MANIFEST, *BESIDE, layout.CONFIG]


@settings(max_examples=max(1, settings().max_examples // 2))
@given(some.sampled_from(NAMES), some.one_of(trees, some.sampled_from(ODD)))
def test_any_value_in_any_file(copied: Path, refusals: Callable[..., str], run: Path, name: str, tree: object) -> None:
    altered(copied, name, tree)
    sweep = sweep_of(copied)
    refusals("status", sweep.name, f"output={copied.parent}")
    refusals("diff", str(copied), str(run))
    for read in (lambda: reproduce.recorded(copied), lambda: list(repetitions.results(copied, run))):
        try:
            read()
        except RequestError:
            continue
    assert contradictions(copied) or name in BESIDE
    shutil.rmtree(copied.parent)
    shutil.copytree(run, copied)


@settings(max_examples=max(1, settings().max_examples // 2))
@given(some.data())
def test_any_value_in_any_field_of_a_result(copied: Path, refusals: Callable[..., str], data: some.DataObject) -> None:
    """Sealed, as somebody who knows how would."""
    row = without_checksum((copied / layout.RESULT).read_text())
    assert row is not None
    before = dict(row)
    for name in data.draw(some.sets(some.sampled_from(sorted(row)), min_size=1, max_size=3)):
        row[name] = data.draw(some.one_of(some.sampled_from(ODD), trees))
    (copied / layout.RESULT).write_text(with_checksum(json.dumps(row)))
    found = results.result_in(copied)
    assert found is None or all(type(getattr(found, name)) is type(value) for name, value in before.items())
    sweep_of(copied)
    refusals("status", "sweep", f"output={copied.parent}")
    refusals("diff", str(copied), str(copied))
    (copied / layout.RESULT).write_text(with_checksum(json.dumps(before)))


@settings(max_examples=max(1, settings().max_examples // 2))
@given(some.data())
def test_any_value_in_any_field_of_a_log(copied: Path, refusals: Callable[..., str], data: some.DataObject) -> None:
    rows = list(event_log.read(copied))
    number = data.draw(some.integers(0, len(rows) - 1))
    for name in data.draw(some.sets(some.sampled_from(sorted(rows[number])), min_size=1, max_size=3)):
        rows[number][name] = data.draw(some.one_of(some.sampled_from(ODD), trees))
    text = (copied / event_log.FILE).read_text()
    (copied / event_log.FILE).write_text("".join(with_checksum(json.dumps(row)) + "\n" for row in rows))
    sweep_of(copied)
    (copied / layout.RESULT).rename(copied / "kept")
    shown = refusals("status", "sweep", f"output={copied.parent}")
    assert "\x1b" not in shown
    (copied / "kept").rename(copied / layout.RESULT)
    refusals("diff", str(copied), str(copied))
    (copied / event_log.FILE).write_text(text)


@pytest.mark.parametrize("name", [*NAMES, event_log.FILE, f"{FOLDER}/1/{SUBMISSION}"])
@pytest.mark.parametrize("content", ["", "{", DEEP, "\x00" * 100, "&a [*a]", "9" * 6000, '{"sum": "00000000"}'])
def test_one_folder_of_rubbish_hides_no_other(
    run: Path, folder: Path, refusals: Callable[..., str], name: str, content: str
) -> None:
    for number in range(2):
        shutil.copytree(run, folder / "theirs" / f"{run.name}-{number}")
        sweep = folder / "theirs" / f"sweep-0000000{number}"
        sweep.mkdir()
        record = event_log.EventLog(sweep)
        record.begin(kind="sweep", tags={"tlx.kind": "sweep"})
        record.write("trials", folders=[f"{run.name}-{number}"])
    place = folder / "theirs" / (f"{run.name}-0" if "/" not in name and name != event_log.FILE else "sweep-00000000")
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(content)
    shown = refusals("status", f"output={folder / 'theirs'}")
    assert "sweep-00000001  1 trials: 1 done" in shown


@pytest.mark.parametrize(
    "value", ["${oc.env:HOME}", "${seed}", "a ${oc.env:HOME} b", "${oc.decode:1}", "\\${oc.env:HOME}", "${now:%Y}"]
)
def test_an_interpolation_in_a_recorded_configuration_is_refused(copied: Path, value: str) -> None:
    config = yaml.safe_load((copied / layout.CONFIG).read_text())
    config["group"] = value
    (copied / layout.CONFIG).write_text(yaml.safe_dump(config))
    with pytest.raises(ConfigError, match="interpolation"):
        folders.read_config(copied)


def test_a_repetition_goes_to_ones_own_store_and_cache(copied: Path, said: Said, folder: Path) -> None:
    """Nothing is made where the record says, and nobody is called."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        port = listener.getsockname()[1]
        config = yaml.safe_load((copied / layout.CONFIG).read_text())
        config["tracking"] |= {"kind": "mlflow", "uri": f"http://127.0.0.1:{port}"}
        config["reuse"]["folder"] = str(folder / "planted")
        config["output"] = str(folder / "elsewhere")
        text = yaml.safe_dump(config)
        (copied / layout.CONFIG).write_text(text)
        row = without_checksum((copied / layout.RESULT).read_text())
        assert row is not None
        row["files"][layout.CONFIG] = len(text.encode())
        (copied / layout.RESULT).write_text(with_checksum(json.dumps(row)))
        shown = said("reproduce", str(copied), "--with-cache", code=1)
        assert "altered config.yaml is not the file that repro.json has the hash of" in shown
        assert f"tracking.uri: the record names http://127.0.0.1:{port}" in shown
        assert f"reuse.folder: the record names {folder / 'planted'}" in shown
        with pytest.raises(TimeoutError):
            listener.accept()
    assert not (folder / "planted").exists()
    assert not (folder / "elsewhere").exists()
    assert (folder / "mlflow.db").is_file()


@pytest.mark.parametrize("what", ["compressed", "list", "pickle", "other fields", "empty"])
def test_a_state_of_others_is_a_state_or_none(folder: Path, what: str) -> None:
    path = folder / "state.pt"
    if what == "pickle":
        torch.save({"step": Path("x")}, path)
    elif what == "compressed":
        import zipfile

        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("state/data.pkl", b"\0" * 50_000_000)
    elif what == "empty":
        path.touch()
    else:
        torch.save([1, 2] if what == "list" else {"step": 1, "origin": 3}, path)
    state, reason = _read(path)
    assert state is None
    assert reason


def test_a_checkpoint_that_is_no_file_is_refused(copied: Path) -> None:
    (copied / layout.CHECKPOINT).rename(copied / "kept")
    (copied / layout.CHECKPOINT).symlink_to("kept")
    with pytest.raises(RequestError):
        trained(copied)
    assert "is no regular file" in status.standing(copied).detail


LONG = "a" * 300


@pytest.mark.parametrize("name", [LONG, "a\x00b", "\ud800", "../x", "", ".", "a/b"])
def test_names_that_are_none_are_passed_over(copied: Path, refusals: Callable[..., str], name: str) -> None:
    """In a sweep's list of trials, in a result's list of files, as a result's folder, and on the command line."""
    sweep = sweep_of(copied)
    event_log.EventLog(sweep).write("trials", folders=[name])
    for field, value in (("files", {name: 1}), ("folder", name)):
        row = without_checksum((copied / layout.RESULT).read_text())
        assert row is not None
        (copied / layout.RESULT).write_text(with_checksum(json.dumps(row | {field: value})))
        assert results.result_in(copied) is None
        refusals("status", sweep.name, f"output={copied.parent}")
        refusals("diff", str(copied), str(copied))
        (copied / layout.RESULT).write_text(with_checksum(json.dumps(row)))
    if "\x00" not in name and name != "\ud800":
        refusals("diff", f"~nobody-of-that-name/{name}", name or "''")
        refusals("status", name or "''", f"output={copied.parent}")


@pytest.mark.parametrize("name", ["state.pt", "together.json", ".config.yaml.0123abcd.partial"])
def test_a_folder_where_a_file_would_be_is_left(copied: Path, name: str) -> None:
    (copied / name / "mine").mkdir(parents=True)
    rows = list(event_log.read(copied))
    for _ in range(3):
        recover(copied)
    assert (copied / name / "mine").is_dir()
    assert list(event_log.read(copied)) == rows


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_a_log_that_is_no_file_is_set_aside(folder: Path, kind: str) -> None:
    path = folder / event_log.FILE
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("nowhere")
    else:
        path.mkdir()
    with pytest.raises(OSError, match=r"regular|symbolic|directory"):
        event_log.EventLog(folder).begin(name="a")
    event_log.set_aside(folder)
    event_log.EventLog(folder).begin(name="a")
    assert event_log.first(folder)["event"] == "start"
    assert os.path.lexists(folder / "events.1.jsonl")


def test_a_failure_to_build_leaves_what_another_command_finished(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = tlx.compose([*WORDS, "output=runs"])
    place = locate(trial)

    def finished_meanwhile(_: object) -> None:
        monkeypatch.undo()
        monkeypatch.chdir(folder)
        tlx.train(trial)
        raise RuntimeError("this one cannot be built")

    monkeypatch.setattr("tlx.training.runner.build", finished_meanwhile)
    with pytest.raises(RuntimeError, match="cannot be built"):
        tlx.train(trial)
    assert place.result() is not None
    assert event_log.ended(place.path) == "FINISHED"
    folders.write_config(place.path, replace(trial, group="other"))
    assert folders.read_config(place.path).group is None


def test_secrets_and_control_characters_of_an_error_stay_out_of_the_record() -> None:
    fields = failure_reason(RuntimeError("GET https://user:hunter2@host/x \x1b[2J"))
    assert "hunter2" not in str(fields)
    assert "\x1b" not in told(RuntimeError("\x1b[2J https://user:hunter2@host/x"))
