"""``tlx plan --figure``: draws one trial's schedule, and never over a file that is not its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from tlx.cli import main
from tlx.config.dataset import Digits
from tlx.data.module import Data

TRIAL = ["backbone=pixels", "strategy=feature_extraction", "dataset=digits"]


def test_a_figure_is_written_and_written_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *TRIAL, "--figure"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["figure", "schedule.svg"]
    first = (folder / "schedule.svg").read_text()
    assert ElementTree.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"
    assert "feature_extraction of pixels on digits" in first
    assert main(["plan", "--figure", *TRIAL, "strategy.lr=0.5"]) == 0  # an override is no name of a file
    assert (folder / "schedule.svg").read_text() != first
    assert [file.name for file in folder.iterdir()] == ["schedule.svg"]


@pytest.mark.parametrize("words", [["--figure", "out/a.svg", *TRIAL], [*TRIAL, "--figure=out/a.svg"]], ids=" ".join)
def test_a_figure_has_the_name_asked_for(folder: Path, words: list[str]) -> None:
    (folder / "out").mkdir()
    assert main(["plan", *words]) == 0
    assert [str(file.relative_to(folder)) for file in folder.rglob("*.svg")] == ["out/a.svg"]


def test_no_figure_unless_asked_for(folder: Path) -> None:
    assert main(["plan", *TRIAL]) == 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mine.svg", "write --figure mine-schedule.svg"),
        ("folder.svg", "write --figure folder-schedule.svg"),
        ("out.pdf", "write --figure out.svg or --figure out.png"),
        ("mine.png", "write --figure mine-examples.png"),
        ("nowhere/out.svg", "mkdir -p nowhere"),
    ],
)
def test_what_is_not_its_own_is_left_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, hint: str
) -> None:
    (folder / "folder.svg").mkdir()
    (folder / "mine.svg").write_text("<svg>mine</svg>")
    (folder / "mine.png").write_text("mine")
    assert main(["plan", *TRIAL, "--figure", name]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert f"--figure = {name}" in told.err
    assert hint in told.err
    assert (folder / "mine.svg").read_text() == "<svg>mine</svg>"
    assert (folder / "mine.png").read_text() == "mine"
    assert {file.name for file in folder.iterdir()} == {"folder.svg", "mine.svg", "mine.png"}


@pytest.mark.parametrize("words", [["-m", *TRIAL, "seed=0,1"], ["experiment=quickstart"]], ids=" ".join)
def test_many_trials_have_no_figure(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(["plan", *words, "--figure"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "--figure = schedule.svg" in told.err
    assert "draws one trial" in told.err
    assert list(folder.iterdir()) == []


def test_a_refusal_does_not_wait_for_torch(folder: Path) -> None:
    (folder / "mine.svg").write_text("mine")
    script = f"""
import sys
from tlx.cli import main
code = main(["plan", *{TRIAL}, "--figure", "mine.svg"])
print(code, sorted({{"torch", "matplotlib"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "2 []\n"), done.stderr


@pytest.mark.parametrize(
    ("words", "each", "remark"),
    [
        (("reuse.augment=off",), 1, "images are plain (reuse.augment=off)"),
        (("reuse.augment='2 views'",), 4, None),
        (("dataset.mix=mixup",), 4, "mixed in pairs, not drawn (dataset.mix=mixup)"),
    ],
)
def test_what_training_does_not_see_is_not_drawn(
    folder: Path, words: tuple[str, ...], each: int, remark: str | None
) -> None:
    trial = ("backbone=pixels", "strategy=feature_extraction", "dataset=digits", "tracking=none")
    assert main(["plan", *trial, "dataset.augment=shift", *words, "--figure", "examples"]) == 0
    with Image.open(folder / "examples.png") as sheet:
        assert sheet.width == 3 * each * (112 + 6) + 6
        assert sheet.info.get("Comment") == remark
        pixels = np.asarray(sheet.convert("L"))
    views = [pixels[22 : 22 + 112, 6 + 118 * place : 118 * (place + 1)] for place in range(each)]
    if "views" in words[0]:  # of which the third is the first again
        assert np.array_equal(views[1][8:-8, 8:-8], views[3][8:-8, 8:-8])


@pytest.mark.parametrize("augment", ["none", "flip_crop"])
def test_examples_are_drawn_as_the_network_sees_them(
    folder: Path, capsys: pytest.CaptureFixture[str], augment: str
) -> None:
    words = ["plan", "backbone=narrow_resnet", "strategy=fine_tune", "dataset=digits", "tracking=none"]
    assert main([*words, f"dataset.augment={augment}", "--figure", "examples"]) == 0
    assert "examples.png" in capsys.readouterr().out
    with Image.open(folder / "examples.png") as sheet:
        pixels = np.asarray(sheet.convert("L"))
    each = 1 if augment == "none" else 4  # the image, and three augmentations of it
    assert pixels.shape == (10 * (112 + 16 + 6) + 6, 3 * each * (112 + 6) + 6)
    data = Data(Digits(), seed=0, batch_size=32)
    first = data.splits["train"][np.asarray(data.source.rows["label"])[data.splits["train"]] == 0][0]
    digit = np.asarray(data.source.rows["image"])[first].astype(float)
    drawn = pixels[6 + 16 : 6 + 16 + 112, 6 : 6 + 112].reshape(8, 14, 8, 14).mean((1, 3))
    assert np.corrcoef(drawn.ravel(), digit.ravel())[0, 1] > 0.95
    before = (folder / "examples.png").stat().st_mtime_ns
    assert main([*words, "--figure", "examples.png"]) == 0  # its own is written again
    assert (folder / "examples.png").stat().st_mtime_ns > before
