"""Small finished trials, one for each kind of input, made once for all tests of a session."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tlx
from tlx.runs import layout
from tlx.training.locate import locate

SHORT = ("strategy.budget=4 steps", "strategy.batch_size=16", "tracking=none", "hardware.threads=1")
Runs = Callable[[str], Path]


def photos(root: Path) -> Path:
    """Photos of two classes, of several sizes."""
    rng = np.random.default_rng(0)
    for name, tint in (("cat", 60), ("dog", 190)):
        (root / name).mkdir(parents=True)
        for i in range(20):
            pixels = np.clip(rng.normal(tint, 40, size=(12 + i % 5, 16, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:02}.png")
    return root


def maps(root: Path) -> Path:
    """Arrays of six channels, of two classes."""
    rng = np.random.default_rng(0)
    for name, tint in (("land", 60), ("sea", 190)):
        (root / name).mkdir(parents=True)
        for i in range(20):
            pixels = np.clip(rng.normal(tint, 40, size=(12, 12, 6)), 0, 255).astype(np.uint8)
            np.save(root / name / f"{i:02}.npy", pixels)
    return root


def texts(file: Path) -> Path:
    """Reviews, good and bad."""
    words = [f"the {'good' if i % 2 else 'bad'} {word}{'!' * (i % 7)}" for i, word in enumerate("abcdefgh" * 5)]
    rows = [f"{text},{'pos' if i % 2 else 'neg'}" for i, text in enumerate(words)]
    file.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return file


def table(file: Path, photo: bool = False) -> Path:
    """Numbers and a word; with the path of a photo beside them."""
    rng = np.random.default_rng(0)
    header = ["age", "size", "colour", *(["photo"] if photo else []), "label"]
    rows = [",".join(header)]
    for i in range(60):
        age, size = rng.normal(40, 10), rng.normal()
        colour = "rgb"[i % 3]
        shown = [f"photos/{'cat' if i % 2 else 'dog'}/{i % 20:02}.png"] if photo else []
        rows.append(",".join([f"{age:.3f}", f"{size:.3f}", colour, *shown, "yes" if age + 10 * size > 40 else "no"]))
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def _words(kind: str, place: Path) -> tuple[list[str], dict[str, Any]]:
    if kind == "photos":
        return ["backbone=narrow_resnet", "dataset=imagefolder", f"dataset.root={photos(place / kind)}"], {}
    if kind == "maps":
        return ["backbone=narrow_resnet", "dataset=imagefolder", f"dataset.root={maps(place / kind)}"], {}
    if kind == "texts":
        return ["backbone=narrow_bert", "dataset=csv", f"dataset.file={texts(place / 'texts.csv')}"], {}
    if kind in ("table", "mlp"):
        backbone = "narrow_mlp" if kind == "mlp" else "columns"
        return [f"backbone={backbone}", "dataset=tabular", f"dataset.file={table(place / 'table.csv')}"], {}
    if kind == "number":
        columns = {"age": {"type": "number"}, "colour": {"type": "category"}}
        columns |= {name: {"type": "number", "role": "target"} for name in ("size",)}
        words = ["backbone=columns", "dataset=tabular", f"dataset.file={table(place / 'table.csv')}"]
        return words, {"dataset.columns": columns}
    assert kind == "both"
    photos(place / "photos")
    columns = {"photo": {"type": "image"}, "age": {"type": "number"}, "colour": {"type": "category"}}
    words = ["backbone=narrow_resnet", "dataset=tabular", f"dataset.file={table(place / 'table.csv', photo=True)}"]
    return words, {"dataset.columns": {**columns, "label": {"type": "label"}}}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The run folder of a kind: photos, maps (six channels), texts, table, mlp, number, both (a photo and columns)."""
    made: dict[str, Path] = {}

    def of(kind: str) -> Path:
        if kind not in made:
            place = tmp_path_factory.mktemp(kind)
            words, settings = _words(kind, place)
            strategy = "strategy=feature_extraction" if kind in ("table", "number") else "strategy=scratch"
            trial = tlx.compose([*words, strategy, *SHORT, f"output={place / 'runs'}"], settings)
            tlx.train(trial)
            made[kind] = locate(trial).path
        return made[kind]

    return of


def records(run: Path) -> list[dict[str, Any]]:
    """The predictions of a trial's own test."""
    return [json.loads(line) for line in (run / layout.PREDICTIONS).read_text(encoding="utf-8").splitlines()]
