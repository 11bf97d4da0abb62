"""Arrays of any layout, bands, windows and type: exported, read again and sent, they get the test's own answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

import tlx
from tests.prediction.conftest import SHORT, records
from tlx.serving import bundle, preprocessing, signature
from tlx.serving.answers import Answerer
from tlx.serving.inputs import InvalidInput
from tlx.serving.limits import Limits
from tlx.training.locate import locate
from tlx.training.network import trained

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Case:
    """Arrays, how they are read, and what the model says of how they are sent."""

    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    words: tuple[str, ...]
    layout: str
    numbers: str


CASES = {
    "many": Case((300, 8, 8), "uint16", 0, 4000, ("layout=chw",), "[300, h, w]", "numbers; 0 is black, 4095 white"),
    "bands": Case((8, 8, 5), "float32", 0, 1, ("bands=[3,1]",), "[h, w, 4 or more]", "numbers; 0 is black, 1 white"),
    "bytes": Case((8, 8, 4), "uint8", 0, 255, ("bands=[3,2,1]", "layout=hwc"), "[h, w, 4 or more]", "in 0..255"),
    "windows": Case((8, 8), "int16", -900, 900, ("window=[[40,400],[600,1500]]",), "[h, w]", "[40, 400], [600, 1500]"),
    "window": Case(
        (3, 8, 8),
        "float64",
        -900,
        900,
        ("window=[40,400]", "bands=[2]", "layout=chw"),
        "[3 or more, h, w]",
        "[40, 400]",
    ),
    "deep by type": Case((8, 8), "uint16", 0, 65535, ("scale=dtype",), "[h, w]", "whole numbers in 0..65535"),
    "bytes by type": Case((8, 8, 3), "uint8", 0, 255, ("scale=dtype",), "[h, w, 3]", "whole numbers in 0..255"),
    "floats by type": Case((8, 8), "float32", 0, 1, ("scale=dtype",), "[h, w]", "0 is black, 1 white"),
}


OF_FILES = ("windows", "deep by type", "bytes by type", "floats by type")  # whose channels files of pictures have


def trained_on(case: Case, place: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("this", "that"):  # which is which cannot be learned, so no answer is sure
        (place / "data" / name).mkdir(parents=True)
        for i in range(8):
            values = rng.uniform(case.low, case.high, case.shape).astype(case.dtype)
            values.flat[:2] = case.low, case.high
            np.save(place / "data" / name / f"{i}.npy", values)
    words = ["backbone=pixels", "strategy=feature_extraction", "dataset=imagefolder", f"dataset.root={place / 'data'}"]
    trial = tlx.compose([*words, *SHORT, f"output={place / 'runs'}", *(f"dataset.{word}" for word in case.words)])
    tlx.train(trial)
    return locate(trial).path


def formula(said: str, **known: Any) -> Array:
    """What a formula of the metadata gives."""
    found: Array = eval(said, {"exp": np.exp}, known)
    return found


def by_metadata(told: dict[str, Any], value: Array) -> Array:
    """What the metadata say of an array that needs no resizing, by numpy."""
    how = told["pixel"]
    if value.ndim == 3 and how["layout"] != "hwc" and (how["layout"] == "chw" or value.shape[0] < value.shape[2]):
        value = np.moveaxis(value, 0, 2)
    value = value[:, :, None] if value.ndim == 2 else value
    value = value[:, :, how.get("bands", slice(None))].astype(np.float64)
    if "windows" in how:
        plain = value[:, :, 0]
        shown = [formula(how["of"], value=plain, centre=centre, width=width) for centre, width in how["windows"]]
        value = np.stack(shown, axis=2).clip(0, 255)
    else:
        kind = np.dtype(how.get("type", "uint8"))
        of_type = (0, 1) if kind.kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)
        black, white = of_type if how["black"] is None else (how["black"], how["white"])
        value = formula(how["of"], value=value, black=black, white=white).clip(0, 255)
        value = value.round() if how["rounded"] else value
    planes = np.repeat(value, told["channels"], axis=2) if value.shape[2] == 1 else value
    found: Array = ((planes / 255 - np.array(told["mean"])) / np.array(told["std"])).transpose(2, 0, 1)
    return found


@pytest.mark.parametrize("name", CASES)
def test_arrays_that_are_sent_get_the_tests_own_answers(folder: Path, name: str) -> None:
    case = CASES[name]
    run = trained_on(case, folder)
    expected = {one["example"]: one["probabilities"] for one in records(run)}
    bundle.write(trained(run), run, folder / "bundle")
    model = bundle.read(folder / "bundle")
    (form,) = signature.takes(model)
    assert form["layout"] == case.layout
    assert case.numbers in form["dtype"]
    assert ("a file in base64" in form["sent"]) == (name in OF_FILES)
    assert "nested lists [" in form["sent"]
    arrays = [np.load(file) for file in expected]
    sent = [{"image": json.loads(json.dumps(array.tolist()))} for array in arrays]
    answers = Answerer(model, Limits()).answer(sent)
    found = [list(one["probabilities"].values()) for one in answers]
    np.testing.assert_allclose(found, list(expected.values()), atol=1e-5)
    (told,) = preprocessing.of(model)["inputs"].values()
    prepared = torch.from_numpy(np.stack([by_metadata(told, array) for array in arrays])).float()
    with torch.no_grad():
        logits = model.predictor({"image": prepared})
    np.testing.assert_allclose(logits.softmax(-1).numpy(), found, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("deep by type", [[0.5, 1.0]] * 2),
        ("deep by type", [[0, 65536]] * 2),
        ("bytes by type", [[[0.0, 128.5, 1.0]] * 4] * 4),
        ("bytes by type", [[[0, -1, 1]] * 4] * 4),
        ("bytes", [[[0, 256, 1, 1]] * 5] * 5),
    ],
)
def test_numbers_of_another_type_are_refused(folder: Path, name: str, wrong: Any) -> None:
    model = tlx.load(trained_on(CASES[name], folder))
    with pytest.raises(InvalidInput, match=r"expected a picture as nested lists .*numbers in 0\.\.(255|65535)"):
        Answerer(model, Limits()).answer([{"image": wrong}])


def test_a_model_of_the_files_own_windows_is_read_and_takes_no_numbers(folder: Path) -> None:
    run = trained_on(CASES["window"], folder)
    bundle.write(trained(run), run, folder / "bundle")
    facts = json.loads((folder / "bundle" / "model.json").read_text())
    (image,) = (one for one in facts["columns"] if one["kind"] == "image")
    image |= {"window": [], "window_of_file": True}
    (folder / "bundle" / "model.json").write_text(json.dumps(facts))
    model = bundle.read(folder / "bundle")
    (form,) = signature.takes(model)
    assert form["sent"].startswith("nothing: this model takes the window that a DICOM file names")
    with pytest.raises(InvalidInput, match="takes the window that a DICOM file names"):
        Answerer(model, Limits()).answer([{"image": np.zeros(CASES["window"].shape).tolist()}])
