"""Data and weights count in an identity as what is in them, not as where they lie."""

from __future__ import annotations

from pathlib import Path

import pytest

import tlx
from tlx.config.errors import ConfigError
from tlx.training.locate import locate

BASE = ("backbone=resnet18", "dataset=digits")


def same(*overrides: str) -> str:
    """The identity of the trial asked for."""
    return locate(tlx.compose(overrides)).identity


def photos(root: Path) -> Path:
    for name, content in (("cat/1.png", b"one"), ("cat/2.png", b"two"), ("dog/1.png", b"three")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def of_photos(root: Path | str) -> str:
    return same("backbone=resnet18", "dataset=imagefolder", f"dataset.root='{root}'")


def test_the_same_images_elsewhere_are_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = photos(folder / "a" / "photos"), photos(folder / "b" / "renamed")
    first = of_photos(here)
    assert of_photos(there) == first
    assert of_photos("a/photos") == first
    monkeypatch.chdir(folder / "b")
    assert of_photos("renamed") == first


@pytest.mark.parametrize("change", ["content", "renamed", "added", "removed", "moved"])
def test_other_images_are_not(folder: Path, change: str) -> None:
    root = photos(folder / "photos")
    before = of_photos(root)
    if change == "content":
        (root / "dog" / "1.png").write_bytes(b"another")
    elif change == "renamed":
        (root / "dog").rename(root / "wolf")
    elif change == "added":
        (root / "dog" / "2.png").write_bytes(b"one")
    elif change == "removed":
        (root / "cat" / "2.png").unlink()
    else:
        (root / "cat" / "2.png").rename(root / "dog" / "2.png")
    assert of_photos(root) != before


def table(path: Path, rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"text,label\n{rows}")
    return path


def of_table(*overrides: str) -> str:
    return same("backbone=bert_base", "dataset=csv", *overrides)


def test_a_table_is_what_is_in_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = table(folder / "a" / "t.csv", "x,1\n"), table(folder / "b" / "t.csv", "x,1\n")
    first = of_table(f"dataset.file='{here}'")
    assert of_table(f"dataset.file='{there}'") == first
    monkeypatch.chdir(folder / "b")
    assert of_table("dataset.file=t.csv") == first
    table(there, "y,1\n")
    assert of_table("dataset.file=t.csv") != first


def test_tables_in_several_folders_are_the_same_by_any_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for project in ("p", "q"):
        table(folder / project / "train" / "t.csv", "x,1\n")
        table(folder / project / "val" / "t.csv", "y,1\n")
    found = {
        of_table(f"dataset.file='{root}train/t.csv'", f"dataset.val_file='{root}val/t.csv'")
        for root in ("p/", f"{folder}/p/", "q/", "p/../q/")
    }
    monkeypatch.chdir(folder / "p")
    assert found == {of_table("dataset.file=train/t.csv", "dataset.val_file=val/t.csv")}


def test_a_file_to_validate_on_is_not_one_to_test_on(folder: Path) -> None:
    table(folder / "train.csv", "x,1\n")
    table(folder / "more.csv", "y,1\n")
    as_val = of_table("dataset.file=train.csv", "dataset.val_file=more.csv")
    as_test = of_table("dataset.file=train.csv", "dataset.test_file=more.csv")
    assert as_val != as_test
    assert of_table("dataset.file=train.csv") not in (as_val, as_test)


def test_weights_are_what_is_in_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in (("a/w.safetensors", b"one"), ("b/v.safetensors", b"one"), ("c.safetensors", b"two")):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    first = same(*BASE, "backbone.weights=a/w.safetensors")
    assert same(*BASE, f"backbone.weights='{folder}/b/v.safetensors'") == first
    assert same(*BASE, "backbone.weights=c.safetensors") != first
    assert same(*BASE) != first
    monkeypatch.chdir(folder / "b")
    assert same(*BASE, "backbone.weights=v.safetensors") == first


def test_a_model_in_a_folder_is_what_is_in_it(folder: Path) -> None:
    for name, content in (("a/model", b"one"), ("b/model", b"one"), ("c/model", b"two")):
        (folder / name).mkdir(parents=True)
        (folder / name / "model.safetensors").write_bytes(content)
        (folder / name / "config.json").write_text("{}")
    a, b, c = (
        same("backbone=transformers", f"backbone.name='{folder}/{name}/model'", "dataset=docstrings") for name in "abc"
    )
    assert a == b
    assert a != c


def test_a_folder_called_like_a_timm_model_is_not_that_model(folder: Path) -> None:
    before = same("backbone=resnet34", "dataset=digits")
    (folder / "resnet34").mkdir()
    (folder / "resnet34" / "notes.txt").write_text("mine")
    assert same("backbone=resnet34", "dataset=digits") == before


@pytest.mark.parametrize("weights", ["none", "gone.safetensors", "'mlflow:0123'", "'trial:letters'"])
def test_from_scratch_the_weights_make_no_difference(weights: str) -> None:
    request = ("backbone=resnet18", "dataset=digits", "strategy=scratch")
    assert same(*request, f"backbone.weights={weights}") == same(*request)


def test_an_earlier_trial_counts_as_what_it_was(folder: Path) -> None:
    text = (Path(__file__).parents[2] / "experiments" / "letters.yaml").read_text()
    request = ("backbone=narrow_resnet", "dataset=digits", "backbone.weights='trial:{}'")
    (folder / "experiments").mkdir()
    (folder / "experiments" / "same.yaml").write_text(text)
    (folder / "experiments" / "longer.yaml").write_text(text.replace("4 epochs", "5 epochs"))
    shipped, copied, changed = (
        same(*(word.format(name) for word in request)) for name in ("letters", "same", "longer")
    )
    assert copied == shipped
    assert changed != shipped


def test_an_earlier_trial_that_is_not_there_is_the_users_mistake() -> None:
    with pytest.raises(ConfigError, match=r"leters.*did you mean letters"):
        same(*BASE, "backbone.weights='trial:leters'")


def test_a_trial_cannot_start_from_itself(folder: Path) -> None:
    (folder / "experiments").mkdir()
    (folder / "experiments" / "circle.yaml").write_text(
        "# @package _global_\ndefaults: [{override /backbone: resnet18}, {override /dataset: digits}]\n"
        "backbone: {weights: 'trial:circle'}\n"
    )
    with pytest.raises(ConfigError, match="circle"):
        same("experiment=circle")
