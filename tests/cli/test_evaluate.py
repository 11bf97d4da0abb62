"""tlx evaluate: a trial's own test comes out as it did; other data are matched by name, and what is not is counted."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

import tlx
from tests.conftest import Said
from tests.prediction.conftest import SHORT, Runs, records, runs, table  # noqa: F401 (fixture)
from tlx.components import trust
from tlx.config.cache import cache_folder
from tlx.data import module, splits
from tlx.runs import layout
from tlx.runs.folder import read_config
from tlx.runs.result import read_result
from tlx.tracking.mlflow_sync import run_id
from tlx.training.locate import locate

KINDS = ("photos", "maps", "texts", "table", "mlp", "number", "both")


@pytest.fixture
def own(runs: Runs, folder: Path) -> Runs:  # noqa: F811
    """Copies of the runs, beside which an evaluation may lie."""

    def of(kind: str) -> Path:
        return Path(shutil.copytree(runs(kind).parent, folder / kind) / runs(kind).name)

    return of


def measured(said: Said, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said("evaluate", *words, "--json"))
    return found


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


def test_other_rows_with_classes_in_another_order(own: Runs, said: Said, folder: Path) -> None:
    """Against scikit-learn, on what is known; the class that the model does not know is counted."""
    run = own("table")
    rows = list(csv.DictReader(table(folder / "new.csv").open()))[:30]
    rows = [{name: row[name] for name in ("label", "colour", "age", "size")} for row in reversed(rows)]
    for row in rows[:4]:
        row["label"] = "maybe"
    rows[5]["colour"] = "violet"
    pd.DataFrame(rows).to_csv("new.csv", index=False)
    found = measured(said, str(run), "dataset=tabular", "dataset.file=new.csv")
    assert found["data"]["split"] == "all"  # none of them was trained on
    assert found["unknown"] == {"maybe": 4}
    assert found["counts"] == {"examples": 26, "skipped": 0, "left_out": 4}
    lines = [json.loads(line) for line in (Path(found["folder"]) / layout.PREDICTIONS).open()]
    truth, predicted = [one["label"] for one in lines], [one["prediction"] for one in lines]
    assert truth == [row["label"] for row in rows[4:]]
    inputs = [{name: row[name] for name in ("age", "size", "colour")} for row in rows[4:]]
    with pytest.warns(UserWarning, match="no word of train"):
        assert predicted == [one["prediction"] for one in tlx.load(run).predict(inputs)]
    assert found["metrics"]["all/acc"] == pytest.approx(accuracy_score(truth, predicted))
    assert found["metrics"]["all/f1_macro"] == pytest.approx(
        f1_score(truth, predicted, average="macro", zero_division=0)
    )
    text = said("evaluate", str(run), "dataset=tabular", "dataset.file=new.csv")
    assert "classes that the model does not know: 'maybe' (4); their 4 examples are left out" in text
    assert "1 of 26 'colour' of all are no word of train" in text


def test_its_own_settings_on_other_rows(own: Runs, said: Said, folder: Path) -> None:
    run = own("number")
    table(folder / "new.csv")
    found = measured(said, str(run), "dataset.file=new.csv", "--split", "all")
    lines = [json.loads(line) for line in (Path(found["folder"]) / layout.PREDICTIONS).open()]
    error = mean_absolute_error([one["label"] for one in lines], [one["prediction"] for one in lines])
    assert found["metrics"]["all/mae"] == pytest.approx(error)


@pytest.mark.parametrize("cut", ["group", "time"])
def test_other_rows_need_no_groups_and_times(said: Said, folder: Path, cut: str) -> None:
    """What only says how the trial's own data were cut is not asked of others, unless it is asked for."""
    lines = [{"x": i % 7, "label": "ab"[i % 2], "who": f"p{i // 5}", "when": i} for i in range(60)]
    pd.DataFrame(lines).to_csv("own.csv", index=False)
    pd.DataFrame(lines)[["x", "label"]].iloc[:20].to_csv("new.csv", index=False)
    column = {"group": "dataset.group.column=who", "time": "dataset.time=when"}[cut]
    words = ["backbone=columns", "strategy=logistic", "dataset=tabular", "dataset.file=own.csv", "tracking=none"]
    columns = "dataset.columns={x: {type: number}, label: {type: label}}"
    said("train", *words, columns, f"dataset.split_by={cut}", column)
    run = str(next(path.parent for path in (folder / "runs").glob(f"*/{layout.RESULT}")))
    expected = {name: one for name, one in read_result(Path(run)).metrics.items() if name.startswith("test/")}
    assert measured(said, run)["metrics"] == expected
    shutil.copy("own.csv", "copy.csv")
    assert measured(said, run, "dataset.file=copy.csv")["metrics"] == expected  # the same data: the same cut
    found = measured(said, run, "dataset.file=new.csv")
    assert (found["data"]["split"], found["counts"]["examples"]) == ("all", 20)
    assert cut in said("evaluate", run, "dataset.file=new.csv", column, f"dataset.split_by={cut}", code=2)


def test_bad_examples_are_named_or_left_out(own: Runs, said: Said, folder: Path) -> None:
    run = own("photos")
    shutil.copytree(read_config(run).dataset.root, folder / "new")  # type: ignore[attr-defined]
    (folder / "new" / "cat" / "00.png").write_text("no image")
    words = (str(run), "dataset=imagefolder", "dataset.root=new")
    assert "00.png" in said("evaluate", *words, code=2)
    found = measured(said, *words, "dataset.on_bad=skip")
    assert found["counts"] == {"examples": 39, "skipped": 1, "left_out": 0}


def deeper(pixels: Any, kind: str) -> Any:
    """The same picture in another type."""
    return {"uint16": pixels.astype(np.uint16) * 257, "float32": (pixels / 255).astype(np.float32)}.get(
        kind, pixels.astype(kind)
    )


@pytest.mark.parametrize("kind", ["uint16", "float32", "int16"])
def test_values_deeper_than_those_of_train_are_refused(own: Runs, said: Said, folder: Path, kind: str) -> None:
    run = own("photos")
    for file in Path(read_config(run).dataset.root).rglob("*.png"):  # type: ignore[attr-defined]
        place = folder / "new" / file.parent.name / f"{file.stem}.npy"
        place.parent.mkdir(parents=True, exist_ok=True)
        np.save(place, deeper(np.asarray(Image.open(file)), kind))
    text = said("evaluate", str(run), "dataset.root=new", code=2)
    assert f"holds {kind} from" in text
    assert "those of train are bytes" in text


def test_values_beyond_the_scale_of_train_are_told(own: Runs, said: Said, folder: Path) -> None:
    rng = np.random.default_rng(0)
    for root, most in (("old", 4000), ("new", 60_000), ("dark", 200)):
        for name in ("a", "b"):
            (folder / root / name).mkdir(parents=True)
            for i in range(8):
                np.save(folder / root / name / f"{i}.npy", rng.integers(0, most, (8, 8), np.uint16))
    words = ["backbone=pixels", "strategy=feature_extraction", "dataset=imagefolder", "dataset.root=old", *SHORT]
    trial = tlx.compose(words)
    tlx.train(trial)
    run = str(locate(trial).path)
    told = {root: " ".join(measured(said, run, f"dataset.root={root}")["notes"]) for root in ("old", "new", "dark")}
    assert "cut off: this model takes 0 for black and 4095 for white" in told["new"]
    assert "are they in the units of train?" in told["dark"]
    assert not any(word in told["old"] for word in ("cut off", "in the units"))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("dataset.scale=[0,10]", "reads images as it was trained (auto)"),
        ("dataset.window=[40,400]", "reads images as it was trained (null)"),
        ("dataset.bands=[0]", "train a run with dataset.bands=[0]"),
        ("dataset.layout=chw", "reads images as it was trained"),
        ("dataset.background=white", "reads images as it was trained"),
        ("dataset.frame=1", "reads images as it was trained"),
        ("dataset.augment=light", "nothing is trained here"),
        ("dataset.mix=mixup", "nothing is trained here"),
    ],
)
def test_how_a_model_reads_images_cannot_be_changed(own: Runs, said: Said, word: str, message: str) -> None:
    run = own("photos")
    assert message in " ".join(said("evaluate", str(run), word, code=2).split())
    assert not (run.parent / "evaluated").exists()


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


def test_several_labels_are_matched_by_name(said: Said, folder: Path) -> None:
    rows = [{"a": i % 7, "b": i % 5, "label": ";".join(n for n, k in (("x", 2), ("y", 3)) if i % k == 0) or "z"}
            for i in range(60)]  # fmt: skip
    pd.DataFrame(rows).to_csv("old.csv", index=False)
    words = ["backbone=columns", "strategy=feature_extraction", "dataset=tabular", "dataset.file=old.csv"]
    words += ["task=classification", "task.multilabel=true", *SHORT]
    trial = tlx.compose(words, {"dataset.label_separator": ";"})
    tlx.train(trial)
    for row in rows[:6]:
        row["label"] = "new;" + str(row["label"])
    pd.DataFrame(rows).to_csv("new.csv", index=False)
    run = str(locate(trial).path)
    found = measured(said, run, "dataset.file=new.csv", "--split", "all")
    plain = measured(said, run, "--split", "all")
    assert found["unknown"] == {"new": 6}
    assert found["counts"]["examples"] == 60
    assert found["metrics"] == plain["metrics"]


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


def test_a_copy_in_the_cache_is_evaluated_in_the_users_folder(runs: Runs, said: Said, folder: Path) -> None:  # noqa: F811
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
