"""A bundle answers as the trial's own test did, in another folder, without the data and without a network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

import tlx
from tests.trial.conftest import Compose, Families, families, small  # noqa: F401 (fixtures)
from tlx.config.errors import WeightsError
from tlx.serving import bundle
from tlx.trial import folder as folders
from tlx.trial.build import build
from tlx.trial.checkpoint import rebuilt

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
    run = folders.locate(trial).path
    source = build(trial).data.source
    bundle.write(rebuilt(run), run, folder / "bundle")
    inputs = [source.inputs[i] for i in range(len(source.inputs))]
    shutil.move(folder / "runs", folder / "gone")
    model = bundle.read(folder / "bundle")
    expected = [json.loads(line) for line in (folder / "gone" / run.name / folders.PREDICTIONS).open()]
    found = model.answer([inputs[one["index"]] for one in expected])
    assert [one["prediction"] for one in found] == [one["prediction"] for one in expected]
    for mine, wanted in zip(found, expected, strict=True):
        assert list(mine["probabilities"].values()) == pytest.approx(wanted["probabilities"], abs=1e-5)
    assert list(found[0]["probabilities"]) == source.classes


def test_altered_weights_are_refused(small: Compose, folder: Path) -> None:  # noqa: F811
    trial = small("strategy=scratch")
    tlx.train(trial)
    run = folders.locate(trial).path
    bundle.write(rebuilt(run), run, folder / "bundle")
    file = folder / "bundle" / bundle.WEIGHTS
    written = bytearray(file.read_bytes())
    written[-5] ^= 1
    file.write_bytes(written)
    with pytest.raises(WeightsError, match="not what was written"):
        bundle.read(folder / "bundle")


def test_nothing_in_it_is_a_pickle(small: Compose, folder: Path) -> None:  # noqa: F811
    trial = small("strategy=scratch")
    tlx.train(trial)
    run = folders.locate(trial).path
    bundle.write(rebuilt(run), run, folder / "bundle")
    assert {path.suffix for path in (folder / "bundle").rglob("*") if path.is_file()} == {
        ".safetensors",
        ".yaml",
        ".json",
    }
    assert isinstance(bundle.read(folder / "bundle").network, torch.nn.Module)
