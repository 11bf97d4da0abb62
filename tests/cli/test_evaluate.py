"""tlx evaluate: a trial's own test comes out as it did, and what was measured is recorded once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tlx
from tests.cli.conftest import measured
from tests.conftest import Said
from tests.prediction.conftest import Runs, records, table
from tlx.components import trust
from tlx.config.cache import cache_folder
from tlx.config.dataset import Dataset
from tlx.data import fingerprint, module, splits
from tlx.runs import layout
from tlx.runs.folder import read_config
from tlx.runs.result import read_result
from tlx.tracking.mlflow_sync import run_id

KINDS = ("photos", "maps", "texts", "table", "mlp", "number", "both")


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_test_comes_out_as_it_did(own: Runs, said: Said, kind: str) -> None:
    run = own(kind)
    found = measured(said, str(run))
    expected = {name: value for name, value in read_result(run).metrics.items() if name.startswith("test/")}
    assert found["metrics"] == expected
    place = Path(found["folder"])
    assert place.parent == run.parent / "evaluated"
    assert (place / layout.PREDICTIONS).read_bytes() == (run / layout.PREDICTIONS).read_bytes()
    assert found["counts"] == {"examples": len(records(run)), "skipped": 0, "left_out": 0}
    assert found["data"]["split"] == "test"


def test_the_same_command_returns_at_once(own: Runs, said: Said) -> None:
    run = own("table")
    first = said("evaluate", str(run))
    assert "already measured" not in first
    again = said("evaluate", str(run))
    assert "already measured; nothing was computed" in again
    assert first.splitlines()[-6:] == again.splitlines()[-6:]
    code = f"import sys; from tlx.cli import main; main(['evaluate', {str(run)!r}]); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    record = next(run.parent.glob(f"evaluated/*/{layout.EVALUATION}"))
    record.write_text(record.read_text().replace('"examples": ', '"examples": 1'))
    assert "already measured" not in said("evaluate", str(run))


def test_other_splits_of_its_own_data(own: Runs, said: Said) -> None:
    run = own("table")
    counts = {split: measured(said, str(run), "--split", split)["counts"] for split in ("test", "val", "train", "all")}
    assert sum(counts[split]["examples"] for split in ("test", "val", "train")) == counts["all"]["examples"] == 60
    found = measured(said, str(run), "--split", "val")
    expected = {name: value for name, value in read_result(run).metrics.items() if name.startswith("val/")}
    assert found["metrics"]["val/acc"] == expected["val/acc"]
    assert "the model was trained on examples of all" in said("evaluate", str(run), "--split", "all")


@pytest.mark.parametrize("words", [(), ("dataset.file=new.csv",), ("dataset=tabular", "dataset.file=new.csv")])
def test_the_fingerprint_is_taken_once(
    own: Runs, said: Said, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Of the data that are measured, whatever else is asked of them."""
    run, taken, original = own("table"), list[object](), fingerprint.fingerprint
    table(folder / "new.csv")

    def counted(config: Dataset) -> str:
        taken.append(config)
        return original(config)

    monkeypatch.setattr(fingerprint, "fingerprint", counted)
    said("evaluate", str(run), *words)
    assert len(taken) == 1


@pytest.mark.parametrize(
    ("kind", "words", "message"),
    [
        ("table", ("dataset=digits",), "the model needs this number, the data have no such column"),
        ("photos", ("dataset=digits",), "classes that the model does not know"),
        ("table", ("dataset.file=few.csv",), "did you mean colours?"),
        ("table", ("seed=3",), "only dataset can differ"),
        ("table", ("backbone=pixels",), "only dataset can differ"),
        ("table", ("dataset.fiel=x",), "did you mean"),
        ("table", ("--split", "tests"), "did you mean test?"),
        ("table", ("other",), "expected one: a run folder"),
    ],
)
def test_mistakes(own: Runs, said: Said, folder: Path, kind: str, words: tuple[str, ...], message: str) -> None:
    (folder / "few.csv").write_text("age,size,colours,label\n1,2,r,yes\n2,1,g,no\n")
    run = own(kind)
    before = sorted(path.name for path in run.parent.iterdir())
    assert message in said("evaluate", str(run), *words, code=2)
    assert sorted(path.name for path in run.parent.iterdir()) == before


def test_mlflow_knows_it_as_a_run_of_its_own(own: Runs, said: Said, folder: Path) -> None:
    from mlflow import MlflowClient

    words = ["backbone=columns", "strategy=logistic", "dataset=tabular", f"dataset.file={table(folder / 't.csv')}"]
    said("train", *words)
    run = next(path.parent for path in (folder / "runs").glob(f"*/{layout.RESULT}"))
    found = measured(said, str(run))
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    place = Path(found["folder"])
    first, second = run_id(run, uri), run_id(place, uri)
    assert first is not None
    assert second is not None
    told = MlflowClient(uri).get_run(second)
    assert told.data.tags["tlx.kind"] == "evaluation"
    assert told.data.tags["tlx.evaluates_run"] == first
    assert told.data.tags["tlx.evaluates"] == read_result(run).identity
    assert told.data.metrics["test/acc"] == pytest.approx(found["metrics"]["test/acc"])
    assert told.info.status == "FINISHED"
    assert "removed 1 folder" in said("runs", "rm", str(place), "--yes")
    assert run.is_dir()


@pytest.mark.parametrize(
    ("word", "recorded"),
    [
        ("dataset.split_seed=1", "dataset.split_seed=0"),
        ("dataset.test=0.5", "dataset.test=0.2"),
        ("dataset.folds=3", "dataset.folds=null"),
    ],
)
def test_a_test_cut_anew_from_its_own_data_is_refused(own: Runs, said: Said, word: str, recorded: str) -> None:
    run = own("table")
    trial = read_config(run)
    file = trial.dataset.file  # type: ignore[attr-defined]
    changed = tlx.compose(["backbone=columns", "strategy=logistic", "dataset=tabular", f"dataset.file={file}", word])
    mine, theirs = (splits.cut(module.read(one), one) for one in (trial.dataset, changed.dataset))
    both = set(mine["train"].tolist()) & set(theirs["test"].tolist())
    assert both
    text = " ".join(said("evaluate", str(run), word, code=2).split())
    assert f"was trained on {len(both)} of its {len(theirs['test'])} examples" in text
    assert all(part in text for part in (recorded, "--split all"))
    assert not (run.parent / "evaluated").exists()
    found = measured(said, str(run), word, "--split", "all")
    assert "the model was trained on examples of all" in found["notes"]
    for words in ((), ("dataset.shots=2",)):  # the test is the same
        assert not any("trained on" in note for note in measured(said, str(run), *words)["notes"])


def test_data_that_have_changed_in_their_place_are_told_of(own: Runs, said: Said) -> None:
    run = own("mlp")
    file = Path(read_config(run).dataset.file)  # type: ignore[attr-defined]
    before = file.read_text()
    try:
        file.write_text(before + before.splitlines()[-1] + "\n")
        assert any("examples may have been trained on" in note for note in measured(said, str(run))["notes"])
    finally:
        file.write_text(before)


def test_a_copy_in_the_cache_is_evaluated_in_the_users_folder(runs: Runs, said: Said, folder: Path) -> None:
    copy = Path(shutil.copytree(runs("table"), cache_folder("runs") / ("0" * 32)))
    text = said("evaluate", str(copy))
    assert "nothing is written beside" in text
    assert len(list((folder / "runs" / "evaluated").glob(f"*/{layout.EVALUATION}"))) == 1
    assert not (copy.parent / "evaluated").exists()
    assert "already measured" in said("evaluate", str(copy))


PLUGIN = """
from dataclasses import dataclass

import numpy as np
import tlx
from tlx.columns import Label, Number
from tlx.config.dataset import Dataset
from tlx.config.fields import option
from tlx.data.source import Source

@dataclass
class Line(Dataset):
    "Points on a line."
    kind: str = "line"
    modality: str = "table"
    name: str = option("line", "what runs are called by")

def fingerprint(options):
    return "line-1"

@tlx.register.dataset("line", config=Line, fingerprint=fingerprint, capabilities={"trainable"})
def load(options):
    x = np.linspace(-1, 1, 60)
    return Source([Number("x"), Label("side")], {"x": x, "side": np.where(x > LIMIT, "right", "left")}, splits={})
"""


@pytest.mark.usefixtures("plugged")
def test_the_code_of_today_is_measured(said: Said, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(trust.VARIABLE, "1")
    (folder / "line_a.py").write_text(PLUGIN.replace("LIMIT", "0"))
    (folder / "pyproject.toml").write_text('[tool.tlx]\nplugins = ["line_a"]\n')
    said("train", "backbone=columns", "strategy=logistic", "dataset=line", "tracking=none")
    (run,) = (path.parent for path in (folder / "runs").glob("*/result.json"))
    words = ("evaluate", str(run), "--split", "all", "--json")
    before = json.loads(said(*words))
    assert json.loads(said(*words)) == before
    (folder / "line_a.py").write_text(PLUGIN.replace("LIMIT", "0.5"))
    command = [sys.executable, "-m", "tlx", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["all/acc"] < before["metrics"]["all/acc"] - 0.1
