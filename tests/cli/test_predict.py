"""tlx predict: files, folders, tables and lines, each answered in order or named; a file is whole or not there."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

import tlx
from tests.conftest import Said
from tests.prediction.conftest import Runs, records, runs  # noqa: F401 (fixture)
from tlx.config.dataset_parts import Limits
from tlx.prediction.lines import objects, plain_sheet, texts
from tlx.prediction.values import InvalidInput
from tlx.runs import layout
from tlx.runs.folder import read_config
from tlx.runs.result import read_result

ROWS = [{"age": 40, "size": 0.5, "colour": "r"}, {"age": 70.5, "size": -1, "colour": "violet"}]


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def stdin(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))


def test_its_own_test_again_bit_for_bit(runs: Runs, said: Said, folder: Path) -> None:  # noqa: F811
    expected = records(runs("photos"))
    said("predict", str(runs("photos")), *(one["example"] for one in expected), "--out", "out.jsonl")
    for mine, wanted in zip(lines(folder / "out.jsonl"), expected, strict=True):
        assert list(mine.pop("probabilities").values()) == wanted["probabilities"]  # type: ignore[attr-defined]
        assert mine == {"example": wanted["example"], "prediction": wanted["prediction"]}


@pytest.mark.parametrize("kind", ["texts", "table", "mlp", "number", "both"])
def test_the_rows_of_its_own_test_bit_for_bit(runs: Runs, said: Said, folder: Path, kind: str) -> None:  # noqa: F811
    """From the trial's own file, whose other columns are named."""
    file = Path(read_config(runs(kind)).dataset.file)  # type: ignore[attr-defined]
    whole = list(csv.reader(file.open(encoding="utf-8")))
    own = records(runs(kind))
    chosen = [whole[0], *(whole[int(str(one["example"]).rpartition(":")[2]) - 1] for one in own)]
    with (file.parent / "chosen.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(chosen)
    text = said("predict", str(runs(kind)), str(file.parent / "chosen.csv"), "--out", "out.jsonl")
    assert "columns that the model does not read" in text
    for mine, wanted in zip(lines(folder / "out.jsonl"), own, strict=True):
        assert mine["prediction"] == wanted["prediction"]
        if "probabilities" in wanted:
            assert list(mine["probabilities"].values()) == wanted["probabilities"]  # type: ignore[attr-defined]


def test_a_folder_of_images(runs: Runs, said: Said, folder: Path) -> None:  # noqa: F811
    run = runs("photos")
    shutil.copytree(read_config(run).dataset.root, folder / "more")  # type: ignore[attr-defined]
    (folder / "more" / ".hidden").mkdir()
    for name in (".hidden/a.png", "note.md", ".b.png"):
        (folder / "more" / name).write_text("x")
    text = said("predict", str(run), "more", "--out", "out.csv", "--top-k", "1")
    assert "hidden files and folders left out: 2" in text
    assert "files that are no images: 1" in text
    assert "40 predicted: out.csv" in text
    found = pd.read_csv(folder / "out.csv")
    assert list(found["example"]) == sorted(str(path.relative_to(folder)) for path in folder.glob("more/[cd]*/*.png"))
    answers = tlx.load(run).predict(list(found["example"]))
    assert list(found["prediction"]) == [one["prediction"] for one in answers] == list(found["top/1"])
    assert list(found["probability/cat"]) == [one["probabilities"]["cat"] for one in answers]


def test_bad_files_are_all_named(runs: Runs, said: Said, folder: Path) -> None:  # noqa: F811
    (folder / "more").mkdir()
    for i in range(4):
        Image.new("RGB", (9, 9), (i, i, i)).save(folder / "more" / f"{i}.png")
    for name in ("1.png", "3.png"):
        (folder / "more" / name).write_text("no image")
    words = ("predict", str(runs("photos")), "more", "--out", "out.csv", "--batch-size", "1")
    text = said(*words, code=1)
    assert all(f"cannot be read: more/{i}.png: unreadable image" in text for i in (1, 3))
    assert "2 cannot be read; nothing was written" in text
    assert [path.name for path in folder.iterdir()] == ["more"]
    text = said(*words, "--on-bad", "skip")
    assert "2 predicted, 2 skipped: out.csv" in text
    assert list(pd.read_csv(folder / "out.csv")["example"]) == ["more/0.png", "more/2.png"]
    assert "2 predicted" in said("predict", str(runs("photos")), "more", "--on-bad=skip")


def test_tables_of_every_kind(runs: Runs, said: Said, folder: Path) -> None:  # noqa: F811
    run = runs("table")
    frame = pd.DataFrame(ROWS)
    frame.to_csv("rows.csv", index=False)
    frame.to_parquet("rows.parquet")
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    with sqlite3.connect("rows.db") as made:
        frame.to_sql("rows", made, index=False)
    made.close()
    expected = [one["prediction"] for one in tlx.load(run).predict(ROWS)]
    for suffix in ("csv", "parquet", "jsonl", "db"):
        text = said("predict", str(run), f"rows.{suffix}", "--out", "out.parquet")
        assert "1 of 2 'colour' are no word of train" in text
        assert list(pd.read_parquet("out.parquet")["prediction"]) == expected
    from pyarrow import parquet

    assert parquet.read_schema("out.parquet").metadata[b"tlx.identity"].decode() == read_result(run).identity


def test_columns_that_are_not_there(runs: Runs, said: Said, folder: Path) -> None:  # noqa: F811
    (folder / "rows.csv").write_text("age,sizes,colours\n1,2,r\n")
    text = said("predict", str(runs("table")), "rows.csv", code=2)
    assert "did you mean sizes?" in text
    assert "did you mean colours?" in text
    (folder / "rows.csv").write_text("age,size,colour\n1,2,r\nold,2,r\n1,2\n")
    text = said("predict", str(runs("table")), "rows.csv", "--out", "out.csv", code=1)
    assert "rows.csv:3: 'age': expected a finite number, found 'old'" in text
    assert "rows.csv:4: has 2 cells, the header has 3" in text


def test_lines_of_standard_input(runs: Runs, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    run = str(runs("texts"))
    expected = [one["prediction"] for one in tlx.load(run).predict(["a good day", "bad"])]
    stdin(monkeypatch, "a good day\n\nbad\n")
    text = said("predict", run, "-", "--json")
    assert [json.loads(line)["prediction"] for line in text.splitlines()[:2]] == expected
    assert [json.loads(line)["example"] for line in text.splitlines()[:2]] == ["-:1", "-:3"]
    assert "1 lines of blanks" in text
    stdin(monkeypatch, '{"text": "a good day"}\n{"text": "bad"}\n')
    text = said("predict", run, "-", "--json")
    assert [json.loads(line)["prediction"] for line in text.splitlines()[:2]] == expected
    assert "read as JSON lines" in text
    stdin(monkeypatch, "\n".join(map(json.dumps, ROWS)) + "\n[1]\n{")
    text = said("predict", str(runs("table")), "-", "--on-bad", "skip")
    assert "2 predicted, 2 skipped" in text
    assert "-:3: expected a JSON object" in text


def test_texts_of_a_file(runs: Runs, said: Said, folder: Path) -> None:  # noqa: F811
    (folder / "texts.txt").write_bytes(b"good\r\nnot \xff utf-8\nbad\n")
    text = said("predict", str(runs("texts")), "texts.txt", "--on-bad=skip", "--out", "out.jsonl")
    assert "texts.txt:2: not UTF-8" in text
    assert [one["example"] for one in lines(folder / "out.jsonl")] == ["texts.txt:1", "texts.txt:3"]


def test_features_for_predictions(runs: Runs, said: Said, folder: Path) -> None:  # noqa: F811
    Image.new("RGB", (9, 9), (9, 99, 9)).save("a.png")
    model = tlx.load(runs("photos"))
    said("predict", str(runs("photos")), "a.png", "--features", "--out", "out.jsonl")
    (found,) = lines(folder / "out.jsonl")
    assert found["features"] == model.features("a.png").tolist()
    said("predict", str(runs("photos")), "a.png", "--features", "1", "--out", "out.csv")
    width = model.backbone.widths["pyramid"][1]
    row = pd.read_csv("out.csv").iloc[0]
    assert list(row.index) == ["example", *(f"feature_{i}" for i in range(width))]
    assert list(row[1:]) == pytest.approx(model.features("a.png", 1).mean((1, 2)).tolist())


def test_nothing_of_others_is_replaced(runs: Runs, said: Said, folder: Path) -> None:  # noqa: F811
    Image.new("RGB", (9, 9)).save("a.png")
    for name in ("out.csv", "out.jsonl", "out.parquet"):
        (folder / name).write_text("mine")
        text = said("predict", str(runs("photos")), "a.png", "--out", name, code=2)
        assert "is there already and is no file of tlx predict" in text
        assert (folder / name).read_text() == "mine"
        (folder / name).unlink()
        said("predict", str(runs("photos")), "a.png", "--out", name)
        said("predict", str(runs("photos")), "a.png", "--out", name)  # its own


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "expected a run and at least one input"),
        (("RUN",), "expected a run and at least one input"),
        (("nowhere", "a.png"), "no model there"),
        (("RUN", "none.png"), "cannot be read: No such file"),
        (("RUN", "a.md"), "expected a folder, - or a file of"),
        (("RUN", "a.txt"), "give a table of them"),
        (("RUN", "empty"), "holds no images"),
        (("RUN", "a.png", "--out", "a.txt"), "expected a file of .csv, .jsonl, .parquet"),
        (("RUN", "a.png", "--out", "none/a.csv"), "no such folder"),
        (("RUN", "a.png", "--top-k", "3"), "expected 1 to 2"),
        (("RUN", "a.png", "--features", "1", "--top-k", "1"), "goes with predictions"),
        (("RUN", "a.png", "--features", "99"), "expected -"),
        (("RUN", "a.png", "--device", "tpu"), "is not here"),
        (("RUN", "a.png", "--on-bad", "maybe"), "expected error or skip"),
        (("RUN", "a.png", "--batch-size", "0"), "expected a number of inputs"),
        (("RUN", "a.png", "--json", "--out", "a.csv"), "is of standard output"),
    ],
)
def test_mistakes(runs: Runs, said: Said, folder: Path, words: tuple[str, ...], message: str) -> None:  # noqa: F811
    for name in ("a.md", "a.txt"):
        (folder / name).write_text("x")
    (folder / "empty").mkdir()
    Image.new("RGB", (9, 9)).save("a.png")
    assert message in said("predict", *(str(runs("photos")) if word == "RUN" else word for word in words), code=2)


def test_a_table_whose_run_is_gone_from_its_data(runs: Runs, said: Said, folder: Path) -> None:  # noqa: F811
    """The run folder is all that is needed."""
    place = folder / "moved" / runs("table").name
    shutil.copytree(runs("table"), place)
    (folder / "rows.jsonl").write_text(json.dumps(ROWS[0]))
    assert (place / layout.RESULT).exists()
    assert "1 predicted" in said("predict", f"moved/{place.name}", "rows.jsonl")


@given(some.binary(max_size=200))
def test_any_stream_of_lines_is_read_or_named(content: bytes) -> None:
    notes: list[str] = []
    found = list(objects(texts(io.BytesIO(content), plain_sheet("-", Limits(row_bytes=40)), notes)))
    assert all(isinstance(value, (dict, InvalidInput)) for _, value in found)
