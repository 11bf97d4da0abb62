"""A trial that is tested by the mean over views: its training is untouched, and every way to its model predicts so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tlx
from tests.prediction.conftest import photos, records, table
from tlx.cli import evaluate, predict
from tlx.columns.input_spec import ImageSpec
from tlx.config.errors import ConfigError
from tlx.config.identity import identity
from tlx.orchestration.batchable import key
from tlx.runs import layout
from tlx.serving import bundle, graphs, preprocessing
from tlx.tasks.network import specs
from tlx.training.build import rebuilt
from tlx.training.network import trained

VIEWS = ["horizontal_flip", "rotate_90"]
SHORT = ("strategy.batch_size=16", "tracking=none", "hardware.threads=1", "strategy.budget=4 steps")


def trial(folder: Path, *words: str, views: list[str] | None = None, **given: Any) -> Any:
    """A small trial of photos."""
    root = folder / "photos"
    if not root.exists():
        photos(root)
    data = ["dataset=imagefolder", f"dataset.root={root}", "backbone=narrow_resnet", "backbone.input.size=12"]
    settings = {"dataset.test_augment": VIEWS if views is None else views, **given}
    return tlx.compose([*data, *SHORT, f"output={folder / 'runs'}", *words], settings)


def by_hand(run: Path) -> torch.Tensor:
    """Mean probabilities of the test over the plain, the mirrored and the turned images."""
    built = rebuilt(run)
    spec = specs(built.module.model)["image"]
    assert isinstance(spec, ImageSpec)
    found = []
    for batch in built.data.eval_loader("test"):
        image = spec.as_floats(batch.inputs["image"])
        with torch.no_grad():
            seen = [image, image.flip(-1), torch.rot90(image, 1, (2, 3))]
            found.append(torch.stack([built.module.model({"image": one}).softmax(-1) for one in seen]).mean(0))
    return torch.cat(found)


def probabilities(run: Path) -> Any:
    """As the trial recorded them."""
    return np.array([one["probabilities"] for one in records(run)])


@pytest.mark.parametrize("strategy", ["scratch", "feature_extraction"])
def test_the_test_is_of_the_mean_and_nothing_else_is(folder: Path, strategy: str) -> None:
    words = [f"strategy={strategy}", *(["backbone.weights=none"] if strategy == "feature_extraction" else [])]
    plain, viewed = (Path(tlx.train(trial(folder, *words, views=views)).folder) for views in ([], VIEWS))
    one, other = (load_file(run / layout.CHECKPOINT) for run in (plain, viewed))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    before, after = (json.loads((run / layout.RESULT).read_text())["metrics"] for run in (plain, viewed))
    assert {k: v for k, v in before.items() if k.startswith("val")} == {
        k: v for k, v in after.items() if k.startswith("val")
    }
    assert not np.array_equal(probabilities(plain), probabilities(viewed))
    expected = by_hand(viewed)
    np.testing.assert_allclose(probabilities(viewed), expected.numpy(), atol=2e-6)
    targets = rebuilt(viewed).data.examples["test"].targets["label"]
    loss = torch.nn.functional.nll_loss(expected.log(), targets)
    assert after["test/loss"] == pytest.approx(float(loss), rel=1e-5)


def test_every_way_to_the_model_predicts_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Path(tlx.train(trial(folder, "strategy=scratch")).folder)
    expected = by_hand(run)
    capsys.readouterr()
    files = [one["example"] for one in records(run)]
    model = tlx.load(run)
    found = [list(one["probabilities"].values()) for one in model.predict(files)]
    np.testing.assert_array_equal(found, probabilities(run))
    given = model.collate([{"image": model.transform(file)} for file in files])
    torch.testing.assert_close(model(given).softmax(-1), expected)
    assert predict.run([str(run), files[0], "--json"]) == 0
    said = capsys.readouterr()
    assert "the mean over images as they are and horizontal_flip, rotate_90" in said.err
    assert list(json.loads(said.out)["probabilities"].values()) == found[0]
    bundle.write(trained(run), run, folder / "bundle")
    assert [list(one["probabilities"].values()) for one in bundle.read(folder / "bundle").predict(files)] == found
    (_, line) = preprocessing.lines(preprocessing.of(model))
    assert line.startswith("output: of the mean over images as they are and horizontal_flip, rotate_90")
    names, inputs = graphs._examples(model, 2, 16)
    torch.testing.assert_close(graphs.Outputs(model, names)(*inputs), model({"image": inputs[0]}))


def test_an_evaluation_takes_the_views_of_the_model_or_those_that_are_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(tlx.train(trial(folder, "strategy=scratch", views=[])).folder)
    capsys.readouterr()
    assert evaluate.run([str(run), "dataset.test_augment=[horizontal_flip,rotate_90]", "--json"]) == 0
    loss = json.loads(capsys.readouterr().out)["metrics"]["test/loss"]
    targets = rebuilt(run).data.examples["test"].targets["label"]
    expected = torch.nn.functional.nll_loss(by_hand(run).log(), targets)
    assert loss == pytest.approx(float(expected), rel=1e-5)
    viewed = Path(tlx.train(trial(folder, "strategy=scratch")).folder)
    capsys.readouterr()
    photos(folder / "others")
    asked = ["dataset=imagefolder", f"dataset.root={folder / 'others'}", "--split", "all", "--json"]
    for words, count in (([], 1), (["dataset.test_augment=[]"], 0)):
        assert evaluate.run([str(viewed), *asked, *words]) == 0
        notes = json.loads(capsys.readouterr().out)["notes"]
        assert sum("horizontal_flip" in note for note in notes) == count


def test_it_is_part_of_the_identity_and_such_heads_are_trained_alone(folder: Path) -> None:
    words = ["strategy=feature_extraction", "backbone.weights=none"]
    plain, viewed = trial(folder, *words, views=[]), trial(folder, *words)
    assert identity(plain, {}, {}) != identity(viewed, {}, {})
    assert key(plain) is not None
    assert key(viewed) is None


@pytest.mark.parametrize(
    ("words", "views", "message"),
    [
        ([], ["hflip"], "no such view"),
        ([], ["rotate_90", "rotate_90"], "is listed twice"),
        (["dataset=tabular", "dataset.file=people.csv", "backbone=columns"], ["rotate_90"], "there are none"),
    ],
)
def test_what_makes_no_sense_is_refused(folder: Path, words: list[str], views: list[str], message: str) -> None:
    table(folder / "people.csv")
    data = words or ["dataset=digits", "backbone=pixels"]
    with pytest.raises(ConfigError, match=message):
        tlx.compose([*data, "strategy=logistic"], {"dataset.test_augment": views})
