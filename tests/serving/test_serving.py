"""A trained model for other programs, from the command line: logged and served over HTTP, ONNX, torch.export."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import socket
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
from tests.serving.conftest import Exported
from tlx.columns.input_spec import ImageSpec
from tlx.config.errors import ConfigError
from tlx.serving import bundle, graphs
from tlx.training.network import trained

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
    environment |= {"UVICORN_APP_DIR": os.devnull, "TLX_SERVE_ROWS": "5"}
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
        status, answer = ask(port, [{"image": png(images[0])}] * 6)
        assert (status, "6 rows; at most 5" in answer) == (400, True)
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


@pytest.mark.slow
def test_tlx_serve_answers_this_machine_alone(pictures: Exported, folder: Path) -> None:
    """From an MLflow model, in a folder whose modules have the names of libraries."""
    pictures.mlflow(folder / "model")
    for name in ("mlflow", "starlette", "uvicorn", "torch"):
        (folder / f"{name}.py").write_text("open('PWNED', 'w').write('')")
    port = free_port()
    command = [sys.executable, "-m", "tlx", "serve", "model", "--port", str(port), "--max-rows", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        wait_until_up(f"http://127.0.0.1:{port}/ping", process)
        picture = png(np.zeros((8, 8)))
        status, answer = ask(port, [{"image": picture}, {"image": picture}])
        assert (status, len(json.loads(answer)["predictions"])) == (200, 2)
        assert "3 rows; at most 2" in ask(port, [{"image": picture}] * 3)[1]
        for headers, body, status in (
            ({"Host": "evil.example", "Content-Type": "application/json"}, b"{}", 400),
            ({"Content-Type": "application/json"}, b"[" * 200_000, 400),
            ({"Content-Type": "application/json"}, b" " * (40 << 20), 413),
            ({"Content-Type": "application/json", "Transfer-Encoding": "chunked"}, iter([b" " * 1000] * 9), 400),
        ):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("POST", "/invocations", body, headers, encode_chunked=True)
            found = connection.getresponse()
            assert (found.status, b"Traceback" in found.read()) == (status, False)
            connection.close()
    finally:
        process.terminate()
        process.wait(30)
    assert process.stdout is not None
    assert f"serving model at http://127.0.0.1:{port} ('image' (image)" in process.stdout.read().decode()
    assert not (folder / "PWNED").exists()


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_a_graph_that_computes_something_else_is_not_written(
    pictures: Exported, folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, f"_{kind}", lambda *given: lambda *inputs: torch.ones(3, 10) * 99)
    with pytest.raises(ConfigError, match="nothing was written"):
        graphs.export(bundle.read(pictures.bundle), kind, folder / "model")
    assert not list(folder.iterdir())


def test_a_graph_goes_into_a_new_file(said: Said, pictures: Exported, folder: Path) -> None:
    (folder / "taken").write_text("kept")
    (folder / "link").symlink_to(folder / "nothing")
    for out, message in (
        ("taken", "is there already"),
        ("link", "is a symbolic link"),
        (".", "is a folder"),
        ("none/model.onnx", "there is no folder none"),
    ):
        assert message in said("export", str(pictures.run), "--to", "onnx", "--out", out, code=2)
    assert (folder / "taken").read_text() == "kept"
    assert {path.name for path in folder.iterdir()} == {"taken", "link"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_graphs_compute_what_the_network_does(pictures: Exported, said: Said, folder: Path, kind: str) -> None:
    text = said("export", str(pictures.run), "--to", kind, "--out", str(folder / "model"))
    assert "on inputs of another size" in text
    model = trained(pictures.run)
    (spec,) = model.backbone.takes.values()
    assert isinstance(spec, ImageSpec)
    images = torch.randn(5, spec.channels, spec.height, spec.width)
    with torch.no_grad():
        expected = model.model({"image": images}).numpy()
    if kind == "onnx":
        (found,) = onnxruntime.InferenceSession(str(folder / "model")).run(None, {"x": images.numpy()})
    else:
        found = torch.export.load(folder / "model").module()(images).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert "is there already" in said("export", str(pictures.run), "--to", kind, "--out", str(folder / "model"), code=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("export",), "expected one run folder"),
        (("export", "nowhere"), "no finished trial"),
        (("export", "a", "--to", "pickle"), "expected mlflow, onnx, torch"),
        (("export", "a", "--to", "onnx", "--register", "b"), "goes with --to mlflow"),
        (("export", "a", "--out", "b"), "goes with --to onnx"),
        (("export", "a", "--to"), "expected mlflow, onnx, torch"),
        (("serve",), "expected one model"),
        (("serve", "a", "b"), "expected one model"),
        (("serve", "--unknown"), "no such option"),
        (("serve", "a", "--port", "0"), "expected a port number"),
        (("serve", "a", "--port", "99999"), "expected a port number"),
        (("serve", "a", "--allow-host", "*"), "expected a name, an address"),
        (("serve", "a", "--allow-host", "birds.example:80"), "expected a name, an address"),
        (("serve", "a", "--max-rows", "-1"), "expected a whole number"),
        (("serve", "a", "--host", "203.0.113.7"), "cannot be listened at"),
    ],
)
def test_mistakes(said: Said, words: tuple[str, ...], message: str) -> None:
    assert message in said(*words, code=2)


def test_serve_says_what_is_no_model(said: Said, folder: Path) -> None:
    port = str(free_port())
    assert "no model there; expected a run folder" in said("serve", "nowhere", "--port", port, code=2)
    (folder / "mine").mkdir()
    (folder / "mine" / "model.json").write_text("{}")
    assert "is not there" in said("serve", "mine", "--port", port, code=2)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        assert "choose another --port" in said("serve", "nowhere", "--port", taken, code=2)
    assert "TLX_SERVE_TOTAL_PIXELS" in said("serve", "--help")
