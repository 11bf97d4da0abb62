"""A bundle answers as the trial's own test did, in another folder, without the data and without a network."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tlx
from tests.serving.conftest import Exported
from tests.training.conftest import Compose, Families, families, small  # noqa: F401 (fixtures)
from tlx.columns import Label
from tlx.config.errors import ConfigError, WeightsError
from tlx.runs import layout
from tlx.serving import bundle
from tlx.training.build import build
from tlx.training.locate import locate
from tlx.training.network import trained

CASES = {
    "cnn": ("strategy=fine_tune",),
    "vit": ("strategy=feature_extraction",),
    "bert": ("strategy=fine_tune",),
    "adapters": ("strategy=lora",),
}


@pytest.mark.parametrize("case", CASES)
def test_it_answers_as_the_trial_did(small: Compose, families: Families, folder: Path, case: str) -> None:  # noqa: F811
    trial = small(*families["bert" if case == "adapters" else case], *CASES[case])
    tlx.train(trial)
    run = locate(trial).path
    source = build(trial).data.source
    bundle.write(trained(run), run, folder / "bundle")
    (values,) = (source.rows[column.name] for column in source.columns if column.role == "input")
    inputs = [values[i] for i in range(len(source))]
    shutil.move(folder / "runs", folder / "gone")
    model = bundle.read(folder / "bundle")
    expected = [json.loads(line) for line in (folder / "gone" / run.name / layout.PREDICTIONS).open()]
    found = model.predict([inputs[one["index"]] for one in expected])
    assert [one["prediction"] for one in found] == [one["prediction"] for one in expected]
    for mine, wanted in zip(found, expected, strict=True):
        assert list(mine["probabilities"].values()) == pytest.approx(wanted["probabilities"], abs=1e-5)
    (target,) = model.schema.targets.values()
    assert isinstance(target, Label)
    assert [column for column in source.columns if column.role == "target"] == [target]
    assert list(found[0]["probabilities"]) == list(target.classes)


def test_altered_weights_are_refused(pictures: Exported, folder: Path) -> None:
    file = pictures.copy(folder / "bundle") / bundle.WEIGHTS
    written = bytearray(file.read_bytes())
    written[-5] ^= 1
    file.write_bytes(written)
    with pytest.raises(WeightsError, match="not what was written"):
        bundle.read(folder / "bundle")


def test_nothing_in_it_is_a_pickle(pictures: Exported, texts: Exported) -> None:
    for one in (pictures, texts):
        assert {path.name for path in one.bundle.iterdir()} == {"model.safetensors", "config.yaml", "model.json"}
        assert isinstance(bundle.read(one.bundle).network, torch.nn.Module)


def test_it_goes_into_a_folder_of_its_own(pictures: Exported, folder: Path) -> None:
    (folder / "full").mkdir()
    (folder / "full" / "mine").write_text("kept")
    (folder / "linked").symlink_to(folder / "empty")
    (folder / "empty").mkdir()
    built = trained(pictures.run)
    for place in ("full", "linked", "full/mine"):
        with pytest.raises(ConfigError, match="a new or an empty folder"):
            bundle.write(built, pictures.run, folder / place)
    assert [path.name for path in (folder / "full").iterdir()] == ["mine"]
    bundle.write(built, pictures.run, folder / "empty")
    assert bundle.read(folder / "empty").schema == bundle.read(pictures.bundle).schema


def test_a_run_is_exported_when_its_data_are_gone(folder: Path) -> None:
    """What a network must know of its data is in the run folder, with the preprocessing and the classes."""
    for name in ("cat", "dog"):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(12):
            pixels = np.full((8, 8), 20 * i if name == "cat" else 255 - 20 * i, np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i}.png")
    words = ["backbone=narrow_resnet", "strategy=fine_tune", "strategy.init=scratch", "dataset=imagefolder"]
    words += ["dataset.root=photos", "strategy.budget=2 steps", "tracking=none"]
    trial = tlx.compose(words)
    tlx.train(trial)
    picture, run = np.zeros((8, 8), np.uint8), locate(trial).path
    before = bundle.model_of(trained(run)).predict([picture])
    shutil.rmtree(folder / "photos")
    found = trained(run)
    assert bundle.model_of(found).predict([picture]) == before
    bundle.write(found, run, folder / "bundle")
    assert bundle.read(folder / "bundle").predict([picture]) == before


def test_a_bundle_is_read_without_a_warning_whatever_is_black(folder: Path) -> None:
    for i in range(24):
        place = folder / "scans" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        np.save(place / f"{i}.npy", np.random.default_rng(i).integers(1000, 1400, size=(8, 8), dtype=np.int16))
    words = ["backbone=pixels", "strategy=feature_extraction", "strategy.budget=2 steps", "strategy.batch_size=8"]
    trial = tlx.compose([*words, "dataset=imagefolder", "dataset.root=scans", "tracking=none"])
    tlx.train(trial)
    run = locate(trial).path
    bundle.write(trained(run), run, folder / "bundle")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = bundle.read(folder / "bundle")
    with pytest.warns(UserWarning, match="an image of values from 0 to 0: this model takes 10"):
        model.predict([np.zeros((8, 8), np.uint8)])
