"""Served models of any columns: tables, several columns, images of many channels, one row and many."""

from __future__ import annotations

import base64
import io
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server
from PIL import Image
from starlette.applications import Starlette

import tlx
from tests.conftest import Said
from tests.prediction.conftest import Runs, runs  # noqa: F401 (fixture)
from tests.serving.asking import ask
from tlx.prediction.model import Model
from tlx.runs.folder import read_config
from tlx.serving import bundle, http, inputs, registry, served
from tlx.serving.answers import Answerer
from tlx.serving.limits import Limits
from tlx.training.network import trained

Apps = Callable[[str], Starlette]
ROW = {"age": 40, "size": 0.5, "colour": "r"}
_BUNDLES: dict[str, Path] = {}


@pytest.fixture(scope="module")
def bundles(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:  # noqa: F811
    """A kind's model as a bundle."""

    def of(kind: str) -> Path:
        if kind not in _BUNDLES:
            place = tmp_path_factory.mktemp("bundles") / kind
            bundle.write(trained(runs(kind)), runs(kind), place)
            _BUNDLES[kind] = place
        return _BUNDLES[kind]

    return of


@pytest.fixture(scope="module")
def apps(bundles: Callable[[str], Path]) -> Apps:
    """A kind's model as it is served."""
    made: dict[str, Starlette] = {}

    def of(kind: str) -> Starlette:
        if kind not in made:
            made[kind] = http.app(Answerer(bundle.read(bundles(kind)), Limits(letters=100)), "1")
        return made[kind]

    return of


def photo(run: Path) -> Path:
    return Path(read_config(run).dataset.file).parent / "photos" / "cat" / "00.png"  # type: ignore[attr-defined]


def encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def answers(app: Starlette, request: Any) -> list[dict[str, Any]]:
    status, text = ask(app, json.dumps(request).encode())
    assert status == 200, text
    found: list[dict[str, Any]] = json.loads(text)["predictions"]
    return found


@pytest.mark.parametrize("kind", ["table", "mlp", "number"])
def test_rows_of_a_table(apps: Apps, runs: Runs, kind: str) -> None:  # noqa: F811
    model = tlx.load(runs(kind))
    rows = [{name: value for name, value in one.items() if name in model.inputs}
            for one in (ROW, {**ROW, "age": 70, "colour": "g"})]  # fmt: skip
    expected = model.predict(rows)
    for request in (
        {"dataframe_records": rows},
        {"instances": rows},
        {"inputs": {name: [row[name] for row in rows] for name in model.inputs}},
    ):
        assert answers(apps(kind), request) == expected
    assert answers(apps(kind), {"inputs": rows[0]}) == expected[:1]
    lines = [",".join(model.inputs), *(",".join(str(row[name]) for name in model.inputs) for row in rows)]
    status, text = ask(apps(kind), "\n".join(lines).encode(), "text/csv")
    assert (status, json.loads(text)["predictions"]) == (200, expected)


def test_a_photo_with_columns_beside_it(apps: Apps, runs: Runs) -> None:  # noqa: F811
    file = photo(runs("both"))
    row = {"photo": encoded(file), "age": 40, "colour": "r"}
    expected = tlx.load(runs("both")).predict({**row, "photo": file})
    assert answers(apps("both"), {"instances": [row]}) == [expected]


def test_images_of_six_channels_as_nested_lists(apps: Apps, runs: Runs) -> None:  # noqa: F811
    pixels = np.random.default_rng(0).integers(0, 256, size=(12, 12, 6))
    expected = tlx.load(runs("maps")).predict(pixels)
    assert answers(apps("maps"), {"instances": [pixels.tolist()]}) == [expected]
    assert answers(apps("maps"), {"dataframe_records": [{"image": pixels.tolist()}] * 2}) == [expected] * 2


@pytest.mark.parametrize(("kind", "folders"), [("table", 0), ("maps", 0), ("photos", 1)])
def test_a_request_has_a_folder_where_it_has_files(
    runs: Runs,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    folders: int,
) -> None:
    """And in it one row's files at a time."""
    stream = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(stream, "PNG")
    values = {"photos": base64.b64encode(stream.getvalue()).decode(), "maps": np.zeros((8, 8, 6), np.uint8).tolist()}
    rows = [ROW if kind == "table" else {"image": values[kind]}] * 3
    answerer = Answerer(tlx.load(runs(kind)), Limits())
    made, there = list[str](), list[int]()

    class Noted(tempfile.TemporaryDirectory[str]):
        def __init__(self) -> None:
            super().__init__()
            made.append(self.name)

    def noted(picture: Any, folder: Path | None) -> Any:
        found = as_file(picture, folder)
        there.append(len(list(folder.iterdir())) if folder else 0)
        return found

    as_file = inputs.as_file
    monkeypatch.setattr(tempfile, "TemporaryDirectory", Noted)
    monkeypatch.setattr(inputs, "as_file", noted)
    assert len(answerer.answer(rows)) == 3
    assert len(made) == folders
    assert set(there) <= {folders}


def test_odd_images_are_told_in_the_servers_log(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:  # noqa: F811
    dark = np.linspace(0, 1, 8 * 8 * 6).reshape(8, 8, 6).tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Answerer(tlx.load(runs("maps")), Limits()).answer([{"image": dark}])
    assert [(one.name, one.levelname) for one in caplog.records] == [("tlx.serving.answers", "WARNING")]
    assert "values from 0 to 1: this model takes 0 for black and 255 for white" in caplog.text


@pytest.mark.parametrize(
    ("kind", "row", "reason"),
    [
        ("table", {"age": 1, "size": 2}, "row 0: expected the columns 'age', 'size', 'colour', found 'age', 'size'"),
        ("table", {**ROW, "age": "old"}, "row 0: 'age': expected a finite number, found 'old'"),
        ("table", {**ROW, "age": [1]}, "row 0: 'age': expected a number, found a list of 1"),
        ("table", {**ROW, "age": None, "size": 1e300}, "'age': expected a number, found nothing; 'size': is more than"),
        ("table", {**ROW, "colour": "r" * 101}, "row 0: 'colour': 101 letters; at most 100"),
        ("table", {**ROW, "colour": {"a": 1}}, "row 0: 'colour': expected a word, found an object of 1"),
        ("maps", {"image": [[1, 2], [3]]}, "row 0: expected a picture as nested lists"),
        ("maps", {"image": [[[1, 2, 3]] * 4] * 4}, "row 0: has 3 channels, expected 6"),
        ("maps", {"image": [[[256] * 6]]}, "in 0..255, found others"),
        ("both", {"photo": "no picture", "age": 1, "colour": "r"}, "row 0: 'photo': not base64"),
    ],
)
def test_refusals_name_row_and_column(apps: Apps, kind: str, row: dict[str, Any], reason: str) -> None:
    status, text = ask(apps(kind), json.dumps({"instances": [row]}).encode())
    assert (status, reason in json.loads(text)["message"]) == (400, True), text


LEAVES = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=9)
CELLS = LEAVES | some.lists(LEAVES | some.lists(some.lists(LEAVES, max_size=6), max_size=3), max_size=3)


@pytest.mark.parametrize("kind", ["table", "both", "maps"])
@given(rows=some.lists(some.dictionaries(some.sampled_from([*ROW, "photo", "image"]), CELLS, max_size=4), max_size=3))
def test_any_rows_are_answered_or_refused(apps: Apps, kind: str, rows: list[dict[str, Any]]) -> None:
    for request in ({"instances": rows}, {"dataframe_records": rows}, {"inputs": rows[0] if rows else {}}):
        status, text = ask(apps(kind), json.dumps(request).encode())
        assert status in (200, 400), text


def test_as_mlflow_serves_them(bundles: Callable[[str], Path], runs: Runs, folder: Path) -> None:  # noqa: F811
    """Through MLflow's own checks of the signature, which the columns give."""
    import mlflow

    from tlx.serving import mlmodel, signature

    pixels = np.random.default_rng(0).integers(0, 256, size=(12, 12, 6))
    rows = {
        "table": {**ROW, "age": 40.0},  # to MLflow, a whole number is none that has a fraction
        "both": {"photo": encoded(photo(runs("both"))), "age": 40.0, "colour": "r"},
        "maps": {"image": pixels.tolist()},
    }
    for kind, row in rows.items():
        model = bundle.read(bundles(kind))
        mlflow.pyfunc.save_model(
            folder / kind,
            loader_module=mlmodel.LOADER,
            data_path=str(bundles(kind)),
            signature=signature.signature(model),
            metadata={"inputs": signature.takes(model)},
            pip_requirements=registry.requirements(),
        )
        loaded = mlflow.pyfunc.load_model(str(folder / kind))
        (found,) = loaded.predict(pd.DataFrame([row])).to_dict("records")
        as_json = {"dataframe_records": [{**row, **({"age": 40} if "age" in row else {})}]}
        sent = scoring_server.infer_and_parse_data(as_json, loaded.metadata.get_input_schema())
        assert loaded.predict(sent).to_dict("records") == [found]
        raw = {**row, "photo": photo(runs("both"))} if kind == "both" else pixels if kind == "maps" else row
        assert found == tlx.load(runs(kind)).predict(raw)
        assert bundle.read(mlmodel.bundle_of(folder / kind)).inputs == model.inputs
        assert [one["name"] for one in loaded.metadata.metadata["inputs"]] == list(model.inputs)
    with pytest.raises(MlflowException, match="row 0: 'age'"):
        served._load_pyfunc(str(bundles("table"))).predict(pd.DataFrame([{**ROW, "age": "old"}]))


@pytest.mark.parametrize("kind", ["table", "mlp", "number", "both", "maps"])
@pytest.mark.slow
def test_a_graph_says_what_it_contains(said: Said, runs: Runs, folder: Path, kind: str) -> None:  # noqa: F811
    """From the metadata alone raw values can be prepared, and the graph gives what the model does."""
    text = said("export", str(runs(kind)), "--to", "onnx", "--out", "model.onnx")
    assert "it contains the network alone, and reads:" in text
    told = json.loads({one.key: one.value for one in onnx.load("model.onnx").metadata_props}["tlx"])
    model = tlx.load(runs(kind))
    assert told.get("classes") == model.classes
    row: dict[str, Any] = {name: value for name, value in ROW.items() if name in model.inputs}
    picture = np.random.default_rng(0).integers(0, 256, size=(12, 12, 6 if kind == "maps" else 3))
    row |= {name: picture for name, column in model.inputs.items() if column.kind == "image"}
    given = {argument: _prepared(one, row[one["column"]], model) for argument, one in told["inputs"].items()}
    (found,) = onnxruntime.InferenceSession("model.onnx").run(None, given)
    answer = model.predict(row)
    if kind == "number":
        assert float(found[0, 0]) == pytest.approx(answer["prediction"], rel=1e-4)
        return
    shares = torch.from_numpy(found).softmax(-1)[0].tolist()
    assert shares == pytest.approx(list(answer["probabilities"].values()), abs=1e-4)


def _prepared(one: dict[str, Any], value: Any, model: Model) -> Any:
    if one["kind"] == "number":
        return np.array([(value - one["mean"]) / one["std"]], np.float32)
    if one["kind"] == "category":
        return np.array([one["categories"].index(value) + 1])
    height, width = one["size"]
    planes = torch.from_numpy(value).permute(2, 0, 1)[None].float()
    shorter = torch.nn.functional.interpolate(planes, (height, width), mode="bilinear", antialias=True)
    mean, std = (np.array(one[name])[None, :, None, None] for name in ("mean", "std"))
    return ((shorter.numpy() / 255 - mean) / std).astype(np.float32)


def test_a_bundle_of_other_columns_is_refused(bundles: Callable[[str], Path], folder: Path) -> None:
    import shutil

    from tlx.config.errors import WeightsError

    place = Path(shutil.copytree(bundles("table"), folder / "b"))
    facts = json.loads((place / "model.json").read_text())
    for change in (
        {"kind": "labels", "classes": ["a"], "unknown": False},
        {"kind": "category", "categories": ["x" * 20_000]},
    ):
        columns = [dict(one) for one in facts["columns"]]
        columns[0] = {"name": columns[0]["name"], "role": "input", **change}
        (place / "model.json").write_text(json.dumps({**facts, "columns": columns}))
        with pytest.raises(WeightsError):
            bundle.read(place)
