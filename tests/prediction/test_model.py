"""A loaded model answers for raw inputs as the trial's own test did, bit for bit, and says what is none."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

import tlx
from tests.prediction.conftest import Runs, records
from tlx.config.errors import ConfigError, DataError, RequestError
from tlx.data.module import read
from tlx.prediction.machine import as_tested
from tlx.prediction.model import Model
from tlx.runs.folder import read_config
from tlx.training.build import rebuilt

KINDS = ("photos", "maps", "texts", "table", "mlp", "number", "both")
ROW = {"age": 40, "size": 0.5, "colour": "r"}


def inputs(run: Path) -> list[dict[str, Any]]:
    """The examples of the trial's own test, as the source has them."""
    model = tlx.load(run)
    source = read(read_config(run).dataset)
    return [{name: source.rows[name][one["index"]] for name in model.inputs} for one in records(run)]


@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_bit_for_bit_as_the_trial_did(runs: Runs, kind: str) -> None:
    model = tlx.load(runs(kind))
    with as_tested(model.trial, model.device):
        found = model.predict(inputs(runs(kind)))
    for answer, record in zip(found, records(runs(kind)), strict=True):
        assert answer["prediction"] == record["prediction"]
        if model.classes is not None:
            assert answer["probabilities"] == dict(zip(model.classes, record["probabilities"], strict=True))


def test_one_input_in_whatever_form_it_comes(runs: Runs) -> None:
    model = tlx.load(runs("photos"))
    file = Path(read_config(runs("photos")).dataset.root) / "cat" / "00.png"  # type: ignore[attr-defined]
    picture = Image.open(file)
    forms = [file, str(file), picture, np.asarray(picture), {"image": file}]
    answers = [model.predict(one) for one in forms]
    assert all(answer == answers[0] for answer in answers)
    assert model.predict(forms) == answers
    assert set(answers[0]) == {"prediction", "probabilities"}
    best = model.predict(file, top_k=2)["top_k"]
    assert [name for name, _ in best] == sorted(model.classes or [], key=lambda one: -answers[0]["probabilities"][one])
    assert model.predict([]) == []


def test_a_table_for_a_table(runs: Runs) -> None:
    model = tlx.load(runs("table"))
    frame = pd.DataFrame([ROW, {**ROW, "age": 70}], index=["a", "b"])
    found = model.predict(frame)
    assert list(found.index) == ["a", "b"]
    assert list(found.columns) == ["prediction", "probability/no", "probability/yes"]
    assert list(found["prediction"]) == [one["prediction"] for one in model.predict(frame.to_dict("records"))]
    assert model.features(frame).shape == (2, 5)


def test_the_network_by_hand(runs: Runs) -> None:
    """transform, collate and forward are what predict does, against plain PyTorch on the trial's own module."""
    run = runs("both")
    model, built = tlx.load(run), rebuilt(run)
    batch = next(iter(built.data.eval_loader("test")))
    rows = inputs(run)[: len(batch)]
    given = model.collate([model.transform(row) for row in rows])
    for name, tensor in batch.inputs.items():
        assert torch.equal(given[name], tensor)
    with torch.no_grad():
        assert torch.equal(model(given), built.module.model(batch.inputs))
        pixels = model.specs["photo"].as_floats(batch.inputs["photo"])  # type: ignore[attr-defined]
        vectors = built.module.model.get_submodule("backbone")(pixels)
    assert torch.equal(model.features(rows), vectors)


def test_a_single_column_needs_no_name(runs: Runs) -> None:
    model = tlx.load(runs("texts"))
    ids = model.transform("good")
    assert ids == model.specs["text"].tokenizer("good")["input_ids"]  # type: ignore[attr-defined]
    batch = model.collate([{"text": ids}])
    with torch.no_grad():
        assert torch.equal(model(batch["text"]), model(batch))


def test_features_at_any_depth(runs: Runs) -> None:
    photo, text = tlx.load(runs("photos")), tlx.load(runs("texts"))
    picture = np.zeros((16, 16, 3), np.uint8)
    assert photo.features(picture).shape == (128,)
    widths = photo.backbone.widths["pyramid"]
    shapes = [tuple(photo.features([picture] * 3, depth, "pyramid").shape) for depth in range(len(widths))]
    assert [shape[:2] for shape in shapes] == [(3, width) for width in widths]
    assert photo.features(picture, form="pyramid").ndim == 3
    one, other = text.features(["a", "a longer text"], depth=0)
    assert one.shape[0] < other.shape[0]  # without padding
    torch.testing.assert_close(text.features("a", form="tokens").mean(0), text.features("a"))
    for wrong in ({"depth": 99}, {"form": "whole"}, {"form": "tokens"}, {"form": "vector", "depth": 1}):
        with pytest.raises(ConfigError):
            photo.features(picture, **wrong)


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("photos", 3, "expected a path, an image of PIL's, or an array"),
        ("photos", "none.png", "no such file: none.png"),
        ("photos", np.zeros((8, 8, 4)), "has 4 channels, expected 3"),
        ("photos", np.zeros((2, 2, 2, 3)), "found an array"),
        ("photos", np.zeros((0, 2)), "without pixels"),
        ("photos", np.full((2, 2), np.nan), "NaN"),
        ("photos", {"photo": 3}, "expected the columns 'image' (image); the row lacks 'image' and has 'photo'"),
        ("maps", np.zeros((8, 8, 3)), "has 3 channels, expected 6"),
        ("texts", " ", "empty text"),
        ("texts", Path("a.txt"), "expected a text"),
        ("table", "yes", "expected a row with the columns 'age' (number), 'size' (number), 'colour' (category)"),
        ("table", {"age": 1, "size": 2}, "lacks 'colour'"),
        ("table", {**ROW, "sizes": 2}, "has 'sizes'"),
        ("table", {**ROW, "age": "old"}, "'age': expected a finite number, found 'old'"),
        ("table", {**ROW, "age": None, "size": 1e99}, "'age': expected a number, found nothing; 'size': is more than"),
        ("table", {**ROW, "colour": ["r"]}, "'colour': expected a word, found a list of 1"),
        ("both", {"photo": "none.png", "age": 1, "colour": "r"}, "'photo': no such file"),
    ],
)
def test_what_is_no_input_is_named(runs: Runs, kind: str, value: Any, reason: str) -> None:
    model = tlx.load(runs(kind))
    for call in (model.predict, model.transform, model.features):
        with pytest.raises(DataError) as caught:
            call(value)
        assert reason in str(caught.value)


def test_all_rows_that_are_no_input_are_named(runs: Runs) -> None:
    with pytest.raises(DataError) as caught:
        tlx.load(runs("table")).predict([ROW, None, ROW, {**ROW, "age": "x"}], batch_size=1)
    assert [problem.key for problem in caught.value.problems] == ["row 1", "row 3"]


@pytest.mark.parametrize(("kind", "top_k"), [("photos", 0), ("photos", 3), ("photos", True), ("number", 1)])
def test_classes_that_cannot_be_named(runs: Runs, kind: str, top_k: int) -> None:
    with pytest.raises(ConfigError, match="top_k"):
        tlx.load(runs(kind)).predict([], top_k=top_k)


def test_nearly_black_images_are_told(runs: Runs) -> None:
    with pytest.warns(UserWarning, match=r"from 0\.5 to 0\.5: this model takes 0 for black and 255 for white"):
        tlx.load(runs("photos")).predict(np.full((4, 4, 3), 0.5))


def test_images_in_other_units_are_told_once_with_their_number(runs: Runs) -> None:
    model = tlx.load(runs("photos"))
    plain = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    plain[0, 0], plain[1, 1] = 0, 255
    dark = plain / 255
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.predict([dark, plain, dark, plain.astype(np.int64)])
        model.predict(plain)
    (one,) = caught
    assert "2 of 4 images have values from 0 to 1: this model takes 0 for black and 255" in str(one.message)


ANY = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=9) | some.binary(max_size=9),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from(sorted(ROW)), inner, max_size=3),
    max_leaves=6,
)
ARRAYS = some.builds(
    lambda shape, kind: np.zeros(shape, kind),
    some.lists(some.integers(0, 6), max_size=4).map(tuple),
    some.sampled_from(["u1", "i8", "f4", "f8", "?", "O", "U3", "c16"]),
)


@pytest.mark.parametrize("kind", ["photos", "texts", "table", "both"])
@given(value=ANY | ARRAYS | some.dictionaries(some.sampled_from(["age", "size", "colour", "photo"]), ANY | ARRAYS))
def test_anything_is_answered_or_refused(runs: Runs, kind: str, value: Any) -> None:
    model = _loaded(runs, kind)
    try:
        found = model.predict(value)
    except DataError:
        return
    assert isinstance(found, list) == isinstance(value, (list, tuple))


_MODELS: dict[str, Model] = {}


def _loaded(runs: Runs, kind: str) -> Model:
    if kind not in _MODELS:
        _MODELS[kind] = tlx.load(runs(kind))
    return _MODELS[kind]


def test_words_for_a_model(runs: Runs, folder: Path) -> None:
    """A folder, absolute or relative, a result, a name below runs; what is none is named."""
    run = runs("table")
    shutil.copytree(run.parent, folder / "runs")
    result = tlx.train(read_config(run))
    for word in (run, str(run), f"runs/{run.name}", Path("runs") / run.name, result):
        assert tlx.load(word).predict(ROW) == tlx.load(run).predict(ROW)
    for wrong in ("nothing", 3, None, folder):
        with pytest.raises(RequestError, match="expected a run folder"):
            tlx.load(wrong)
    with pytest.raises(ConfigError, match="is not here"):
        tlx.load(run, device="tpu")


def test_it_says_what_it_is(runs: Runs) -> None:
    model = tlx.load(runs("photos"))
    assert model.classes == ["cat", "dog"]
    assert tlx.load(runs("number")).classes is None
    for text in (repr(model), model._repr_html_()):
        assert all(word in text for word in ("narrow_resnet", "cat, dog", "images of 3 channels"))
    assert not model.training


def test_double_precision_is_computed_in_double(folder: Path) -> None:
    from tests.prediction.conftest import SHORT, table
    from tlx.training.locate import locate

    words = ["backbone=narrow_mlp", "dataset=tabular", f"dataset.file={table(folder / 't.csv')}", "strategy=scratch"]
    trial = tlx.compose([*words, *SHORT, "hardware.precision=64-true"])
    tlx.train(trial)
    run = locate(trial).path
    model = tlx.load(run)
    assert model(model.collate([model.transform(ROW)])).dtype == torch.float64
    assert torch.get_default_dtype() == torch.float32
    with as_tested(model.trial, model.device):
        found = model.predict(inputs(run))
    for answer, record in zip(found, records(run), strict=True):
        assert list(answer["probabilities"].values()) == record["probabilities"]
