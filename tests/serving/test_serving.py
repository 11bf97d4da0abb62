"""A trained model for other programs, from the command line: logged and served over HTTP, ONNX, torch.export."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from mlflow import MlflowClient
from PIL import Image

from tests.conftest import Said
from tests.servers import free_port, wait_until_up
from tlx.backbones.spec import ImageSpec
from tlx.trial.checkpoint import rebuilt

WORDS = ("backbone=narrow_resnet", "strategy=scratch", "dataset=digits", "strategy.budget=20 steps")


@pytest.fixture
def run(folder: Path, said: Said) -> Path:
    said("train", *WORDS)
    (place,) = (path.parent for path in (folder / "runs").glob("*/result.json"))
    return place


def png(values: Any) -> str:
    stream = io.BytesIO()
    Image.fromarray((values * 255 / 16).astype("uint8")).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def ask(port: int, rows: list[dict[str, Any]]) -> tuple[int, str]:
    body = json.dumps({"dataframe_records": rows}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.slow
def test_it_is_served_over_http(run: Path, said: Said, folder: Path) -> None:
    """With pickles forbidden, as a user would; a bad request is a 400 that says which row."""
    text = said("export", str(run), "--register", "digits")
    assert "registered as digits" in text
    store = f"sqlite:///{folder / 'mlflow.db'}"
    assert MlflowClient(store).get_model_version("digits", "1").status == "READY"
    assert (
        MlflowClient(store).get_run(json.loads((run / "mlflow.json").read_text())["run_id"]).info.status == "FINISHED"
    )
    port = free_port()
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "-h", "127.0.0.1"]
    command += ["-p", str(port), "-m", "models:/digits/1"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until_up(f"http://127.0.0.1:{port}/ping", process)
        from sklearn.datasets import load_digits

        images = load_digits().images
        expected = [json.loads(line) for line in (run / "predictions.jsonl").open()][:5]
        status, answer = ask(port, [{"image": png(images[one["index"]])} for one in expected])
        assert status == 200
        found = json.loads(answer)["predictions"]
        assert [one["prediction"] for one in found] == [one["prediction"] for one in expected]
        assert sorted(found[0]["probabilities"]) == [str(i) for i in range(10)]
        status, answer = ask(port, [{"image": png(images[0])}, {"image": "hello world!"}])
        assert (status, "row 1: not base64" in answer, "Traceback" in answer) == (400, True, False)
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_graphs_compute_what_the_network_does(run: Path, said: Said, folder: Path, kind: str) -> None:
    text = said("export", str(run), "--to", kind, "--out", str(folder / "model"))
    assert "on inputs of another size" in text
    model = rebuilt(run)
    assert isinstance(model.backbone.spec, ImageSpec)
    images = torch.randn(5, model.backbone.spec.channels, model.backbone.spec.height, model.backbone.spec.width)
    with torch.no_grad():
        expected = model.learner.model.eval()({"x": images}).numpy()
    if kind == "onnx":
        (found,) = onnxruntime.InferenceSession(str(folder / "model")).run(None, {"x": images.numpy()})
    else:
        found = torch.export.load(folder / "model").module()(images).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert "is there already" in said("export", str(run), "--to", kind, "--out", str(folder / "model"), code=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("export",), "expected one run folder"),
        (("export", "nowhere"), "no finished trial"),
        (("export", "a", "--to", "pickle"), "expected mlflow, onnx, torch"),
        (("export", "a", "--to", "onnx", "--register", "b"), "goes with --to mlflow"),
        (("export", "a", "--out", "b"), "goes with --to onnx"),
        (("export", "a", "--to"), "expected mlflow, onnx, torch"),
    ],
)
def test_mistakes(said: Said, words: tuple[str, ...], message: str) -> None:
    assert message in said(*words, code=2)
