"""Tables as data sets: words stay words, faults name file and line or are skipped and counted, val follows train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.data.conftest import channels, classes, inputs, labels, load, target, words
from tlx.columns import Labels
from tlx.config.dataset import Table
from tlx.config.errors import DataError
from tlx.data.source import Source

GOOD = "text,label\none,a\ntwo,b\nthree,a\n"


def table(file: Path, content: str = GOOD, **options: Any) -> Source:
    """Write a file and load it."""
    file.write_text(content, encoding="utf-8")
    return load(Table(file=str(file), **options))


def test_texts_labels_and_where_they_came_from(folder: Path) -> None:
    source = table(folder / "a.csv", "text,label\none,b\n\ntwo,a\n")
    assert (list(inputs(source)), classes(source), list(labels(source))) == (["one", "two"], ["a", "b"], [1, 0])
    assert [source.origin(i) for i in range(2)] == [f"{folder / 'a.csv'}:2", f"{folder / 'a.csv'}:4"]
    assert (source.splits, source.notes) == ({}, [])


@pytest.mark.parametrize("word", ["NA", "None", "null", "nan", "N/A", "NULL"])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_words_for_nothing_are_words(folder: Path, word: str, suffix: str) -> None:
    rows = [{"text": word, "label": word}, {"text": "x", "label": "y"}]
    lines = [json.dumps(row) for row in rows] if suffix == ".jsonl" else ["text,label", f"{word},{word}", "x,y"]
    source = table(folder / f"a{suffix}", "\n".join(lines))
    assert list(inputs(source)) == [word, "x"]
    assert words(source) == [word, "y"]


@pytest.mark.parametrize(
    ("name", "content", "places"),
    [
        ("a.csv", 'text,label\none,a\n,b\n"  ",b\ntwo,\nthree, \n', {3: "text", 4: "text", 5: "label", 6: "label"}),
        (
            "a.jsonl",
            '{"text":"one","label":1}\n{"text":"","label":1}\n{"text":null,"label":1}\n{"text":"x","label":null}\n{"text":"x"}',
            {2: "text", 3: "text", 4: "label", 5: "label"},
        ),
    ],
)
def test_empty_cells_name_file_and_line(folder: Path, name: str, content: str, places: dict[int, str]) -> None:
    with pytest.raises(DataError) as caught:
        table(folder / name, content)
    found = {problem.key: problem.message for problem in caught.value.problems}
    assert list(found) == [f"{folder / name}:{line}" for line in places]
    for line, column in places.items():
        assert repr(column) in found[f"{folder / name}:{line}"]


def test_a_first_row_without_its_label_is_a_row_like_any_other(folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        table(folder / "a.jsonl", '{"text":"one"}\n{"text":"two","label":"a"}\n{"text":"three","label":"b"}')
    assert [problem.key for problem in caught.value.problems] == [f"{folder / 'a.jsonl'}:1"]


def test_skip_leaves_bad_rows_out_and_counts_them(folder: Path) -> None:
    content = "text,label\none,a\n,b\ntwo\nthree,b\nfour,\n"
    source = table(folder / "a.csv", content, on_bad="skip")
    assert (list(inputs(source)), words(source)) == (["one", "three"], ["a", "b"])
    assert source.origin(1) == f"{folder / 'a.csv'}:5"
    assert len(source.notes) == 1
    assert "3 rows skipped" in source.notes[0]
    assert f"{folder / 'a.csv'}:" in source.notes[0]


def test_skip_does_not_excuse_a_wrong_column(folder: Path) -> None:
    with pytest.raises(DataError, match="did you mean text"):
        table(folder / "a.csv", input="texd", on_bad="skip")


def test_val_and_test_files_are_splits_with_the_classes_of_train(folder: Path) -> None:
    (folder / "val.csv").write_text("text,label\nv,b\n")
    (folder / "test.csv").write_text("text,label\nt,b\nu,a\n")
    source = table(folder / "a.csv", val_file=str(folder / "val.csv"), test_file=str(folder / "test.csv"))
    texts = {name: [inputs(source)[i] for i in indices] for name, indices in source.splits.items()}
    assert texts == {"train": ["one", "two", "three"], "val": ["v"], "test": ["t", "u"]}
    assert words(source) == ["a", "b", "a", "b", "b", "a"]


def test_a_class_that_train_lacks_names_file_and_line(folder: Path) -> None:
    (folder / "val.csv").write_text("text,label\nv,b\nw,zebra\nx,a\ny,zebra\n")
    with pytest.raises(DataError, match="class 'zebra' is not in train") as caught:
        table(folder / "a.csv", val_file=str(folder / "val.csv"))
    assert [problem.key for problem in caught.value.problems] == [f"{folder / 'val.csv'}:3"]


def test_several_labels_in_a_cell(folder: Path) -> None:
    source = table(folder / "a.csv", "text,label\none,red; big\ntwo,small\nthree,red;small;\n", label_separator=";")
    assert isinstance(target(source), Labels)
    assert classes(source) == ["big", "red", "small"]
    np.testing.assert_array_equal(labels(source), [[1, 1, 0], [0, 0, 1], [0, 1, 1]])


def test_one_of_several_labels_that_train_lacks_is_named_alone(folder: Path) -> None:
    (folder / "val.csv").write_text("text,label\nv,red;zebra\n")
    with pytest.raises(DataError, match="class 'zebra' is not in train"):
        table(folder / "a.csv", "text,label\none,red;big\n", label_separator=";", val_file=str(folder / "val.csv"))


def test_labels_in_a_json_list_keep_their_items_apart(folder: Path) -> None:
    content = '{"text":"one","label":["red","big"]}\n{"text":"two","label":["big"]}'
    source = table(folder / "a.jsonl", content, label_separator=";")
    assert classes(source) == ["big", "red"]
    np.testing.assert_array_equal(labels(source), [[1, 1], [1, 0]])


def test_image_paths_are_seen_from_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "data" / "img").mkdir(parents=True)
    Image.new("L", (5, 4)).save(folder / "data" / "img" / "x.png")
    (folder / "data" / "a.csv").write_text(f"image,label\nimg/x.png,a\n{folder}/data/img/x.png,b\n")
    source = load(Table(file="data/a.csv", modality="image", input="image"))
    assert [Path(p).resolve() for p in inputs(source)] == [(folder / "data/img/x.png").resolve()] * 2
    assert channels(source) == 1
