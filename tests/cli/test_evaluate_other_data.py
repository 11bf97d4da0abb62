"""tlx evaluate on other data: matched by name, counted where not, refused where the model cannot read them."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

import tlx
from tests.cli.conftest import measured
from tests.conftest import Said
from tests.prediction.conftest import SHORT, Runs, table
from tlx.runs import layout
from tlx.runs.folder import read_config
from tlx.runs.result import read_result
from tlx.training.locate import locate


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
    left = f"options are left out: dataset.split_by, {column.partition('=')[0].removesuffix('.column')};"
    for _ in range(2):  # measured already, it is said as well
        assert left in " ".join(said("evaluate", run, "dataset.file=new.csv").split())
    assert not any("left out" in note for note in measured(said, run, "dataset.file=copy.csv")["notes"])
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
