"""The same images are refused by evaluation, by prediction and by a served model, in the same words."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures

import tlx
from tests.prediction.conftest import SHORT, Runs
from tlx.columns import Image
from tlx.columns.reading import DEFAULT
from tlx.config.errors import RequestError
from tlx.data.module import read
from tlx.prediction.evaluate import choose
from tlx.prediction.model import Model
from tlx.prediction.refused import InvalidInput
from tlx.prediction.values import canonical
from tlx.serving import inputs
from tlx.serving.answers import Answerer
from tlx.serving.limits import Limits
from tlx.training.locate import locate

BANDS = "{image}_B{02,03,04}.png"


@pytest.fixture(scope="module")
def of_bands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a model of images of three files."""
    place, rng = tmp_path_factory.mktemp("bands"), np.random.default_rng(0)
    for name in ("lake", "wood"):
        (place / name).mkdir()
        for i in range(24):
            pixels = rng.integers(0, 256, (8, 8), np.uint8)
            Pictures.fromarray(pixels).save(place / name / f"{i // 3}_B0{2 + i % 3}.png")
    words = ["backbone=pixels", "strategy=feature_extraction", "dataset=imagefolder", f"dataset.root={place}", *SHORT]
    trial = tlx.compose([*words, f"output={place.parent / 'runs'}"], {"dataset.band_files": BANDS})
    tlx.train(trial)
    return locate(trial).path


def evaluated(model: Model, file: Path) -> None:
    """Measure the model on a folder of this file."""
    for name in model.classes or ():
        (file.parent / "new" / name).mkdir(parents=True)
        shutil.copy(file, file.parent / "new" / name / file.name)
    given: dict[str, Any] = {"root": str(file.parent / "new"), "band_files": None}
    config = replace(model.trial.dataset, **given)
    choose(model, read(config), config, "all", str(file))


def predicted(model: Model, file: Path) -> None:
    """Predict for the file."""
    model.predict(file)


def served(model: Model, file: Path) -> None:
    """Send the file."""
    Answerer(model, Limits()).answer([{"image": base64.b64encode(file.read_bytes()).decode()}])


def grey(kind: str) -> Pictures.Image:
    """A grey picture of a type."""
    return Pictures.fromarray((np.arange(64).reshape(8, 8) * 3).astype(kind))


BAD: dict[str, tuple[str, str, Callable[[], Pictures.Image], str]] = {
    "16 bits": ("photos", "x.png", partial(grey, "uint16"), "holds uint16 from 0 to 189, and those of train are bytes"),
    "32 bits": ("photos", "x.tif", partial(grey, "int32"), "holds int32 from 0 to 189, and those of train are bytes"),
    "floats": (
        "photos",
        "x.tif",
        partial(grey, "float32"),
        "holds float32 from 0 to 189, and those of train",
    ),
    "colours": ("maps", "x.png", partial(Pictures.new, "RGB", (8, 8)), "has 3 channels, expected 6"),
    "grey": ("maps", "x.png", partial(grey, "uint8"), "has 1 channel, expected 6"),
    "a lone band": ("bands", "x_B02.png", partial(grey, "uint8"), "has 1 channel, expected 3"),
    "NaN": ("photos", "x.tif", partial(lambda: Pictures.fromarray(np.full((4, 4), np.nan, np.float32))), "holds NaN"),
}


@pytest.mark.parametrize("name", BAD)
def test_the_same_files_are_refused(runs: Runs, of_bands: Path, folder: Path, name: str) -> None:
    kind, file, made, reason = BAD[name]
    model = tlx.load(of_bands if kind == "bands" else runs(kind))
    made().save(folder / file)
    for asked in (evaluated, predicted, served):
        with pytest.raises((RequestError, InvalidInput)) as caught:
            asked(model, folder / file)
        assert reason in str(caught.value), asked


def test_a_lone_band_is_refused_with_what_is_expected(of_bands: Path, folder: Path) -> None:
    model = tlx.load(of_bands)
    colours = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    for place, band in enumerate(("02", "03", "04")):
        Pictures.fromarray(colours[:, :, place]).save(folder / f"x_B{band}.png")
        if band != "04":  # as long as one is missing
            with pytest.raises(RequestError, match=r"expected a file of all channels, or the name of an image"):
                model.predict(folder / f"x_B{band}.png")
    with pytest.raises(RequestError, match=r"is one of the 3 files of an image; name the image: .*x"):
        model.predict(folder / "x_B02.png")
    Pictures.fromarray(colours).save(folder / "whole.png")
    assert model.predict(folder / "x") == model.predict(folder / "whole.png") == model.predict(colours)


COLUMNS: dict[str, dict[str, Any]] = {
    "bytes": {"dtype": "uint8", "scale": (0.0, 255.0)},
    "bytes by type": {"dtype": "uint8", "scale_by": "dtype", "stored": "uint8"},
    "16 bits by type": {"dtype": "float32", "scale_by": "dtype", "stored": "uint16"},
    "floats by type": {"dtype": "float32", "scale_by": "dtype", "stored": "float32"},
    "several types": {"dtype": "float32", "scale_by": "dtype"},
    "deep": {"dtype": "float32", "scale": (0.0, 4095.0)},
    "percentiles of bytes": {"dtype": "uint8", "scale": (10.0, 90.0), "scale_by": "percentile"},
    "a window": {"dtype": "float32", "scale": (0.0, 255.0), "scale_by": "", "window": (40.0, 400.0)},
    "the file's window": {"dtype": "float32", "scale": (0.0, 255.0), "scale_by": "", "window_of_file": True},
    "a frame": {"dtype": "uint8", "scale": (0.0, 255.0), "frame": 1},
}


def answered(read: Callable[[], Any]) -> Any:
    """The bytes of what is read; None where it is refused."""
    try:
        return read().tobytes()
    except InvalidInput:
        return None


@pytest.mark.parametrize("values", [[[0, 255], [128, 3]], [[0, 256], [1, 2]], [[0.5, 1.0], [0.0, 0.25]]])
@pytest.mark.parametrize("name", COLUMNS)
def test_numbers_in_memory_are_those_that_are_sent(name: str, values: Any) -> None:
    column = Image("image", channels=1, **COLUMNS[name])
    array = np.array(values)  # of int64 or float64, as those of JSON are

    def sent() -> Any:
        found = canonical(column, inputs.picture(values, column=column).content, DEFAULT)
        return column.scaled(found)

    assert answered(sent) == answered(lambda: column.scaled(canonical(column, array, DEFAULT)))
    if name == "bytes by type" and array.dtype == np.int64:
        expected = array.astype(np.uint8).tobytes() if array.max() < 256 else None
        assert answered(sent) == expected


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("frame", [-1, 0, 1])
def test_an_array_is_the_same_in_a_file(folder: Path, name: str, frame: int) -> None:
    for kind in ("uint8", "uint16", "float32"):
        column = Image("image", channels=1, **{**COLUMNS[name], "frame": frame})
        array = np.arange(16).reshape(4, 4).astype(kind)
        np.save(folder / "x.npy", array)
        forms = [folder / "x.npy", array]
        of_file, in_memory = (answered(partial(canonical, column, form, DEFAULT)) for form in forms)
        if in_memory is not None and of_file is not None:
            assert of_file == in_memory
        elif column.dtype == kind or column.dtype != "uint8" or column.scale_by == "dtype":
            assert of_file is in_memory is None  # but numbers in 0..255 are bytes
