"""Bundles by strangers: data that are read with limits; no code, no file elsewhere, no connection, no trace."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as some
from safetensors.torch import save_file

from tests.security.hostile_facts import GROUP, HOSTILE_FACTS, beside
from tests.serving.conftest import Exported, pictures, texts  # noqa: F401 (fixtures)
from tlx.columns import Label, Labels
from tlx.config.errors import WeightsError
from tlx.prediction.model import Model
from tlx.runs import layout
from tlx.serving import bundle, facts, find, registry

EVIL = "open('PWNED', 'w').write('')\n"


@pytest.fixture
def copied(pictures: Exported, folder: Path) -> Path:  # noqa: F811
    return pictures.copy(folder / "bundle")


@pytest.fixture
def model(pictures: Exported, folder: Path) -> Path:  # noqa: F811
    """An MLflow model."""
    return pictures.mlflow(folder / "model")


def configured(place: Path, change: Callable[[dict[str, Any]], object]) -> None:
    file = place / layout.CONFIG
    content = yaml.safe_load(file.read_text())
    change(content)
    file.write_text(yaml.safe_dump(content))


def classes(model: Model) -> tuple[str, ...]:
    """The names of the classes of a model."""
    return model.schema.target((Label, Labels)).classes


def told(place: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Alter what a bundle says of its columns: an image, then a label."""
    file = place / facts.FILE
    content = json.loads(file.read_text())
    assert [column["kind"] for column in content["columns"]] == ["image", "label"]
    change(content)
    file.write_text(json.dumps(content))


def test_an_mlflow_model_holds_no_code(model: Path) -> None:
    files = {path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file()}
    data = {f"data/bundle/{name}" for name in (bundle.WEIGHTS, layout.CONFIG, facts.FILE)}
    assert files == data | {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt"}
    named = yaml.safe_load((model / "MLmodel").read_text())["flavors"]
    assert set(named) == {"python_function"}
    assert named["python_function"]["loader_module"] == "tlx.serving.served"
    assert not named["python_function"]["code"]
    for line in (model / "requirements.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        assert name.isidentifier()
        assert version.replace(".", "").isalnum()
    assert registry.requirements()


@pytest.mark.parametrize(
    "name", ["served.py", "sitecustomize.py", "code/mlflow.py", "code/served.py", "data/served.py", "tlx/__init__.py"]
)
def test_python_files_in_a_model_are_never_run(
    model: Path, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).write_text(EVIL)
    assert classes(find.model(str(model)))
    assert mlflow.pyfunc.load_model(str(model)) is not None
    assert not (folder / "PWNED").exists()


@pytest.mark.parametrize("name", ["served.py", "sitecustomize.py", "python_model.pkl", "code", "model.pt"])
def test_a_bundle_with_more_in_it_is_refused(copied: Path, name: str, folder: Path) -> None:
    (copied / name).write_text(EVIL)
    with pytest.raises(WeightsError, match=f"{name} .*is not a file that tlx writes"):
        bundle.read(copied)
    assert not (folder / "PWNED").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"loader_module": "served"}, "names other code"),
        ({"loader_module": "tlx.serving.served.x"}, "names other code"),
        ({"loader_module": ["tlx.serving.served"]}, "names other code"),
        ({"code": "code"}, "more than tlx writes: code"),
        ({"model_code_path": "served.py"}, "more than tlx writes: model_code_path"),
        ({"python_model": "python_model.pkl"}, "more than tlx writes"),
        ({"predict_fn": "system"}, "more than tlx writes"),
        ({"model_config": {"a": 1}}, "more than tlx writes"),
        ({"data": "../bundle"}, "expected a folder of the model"),
        ({"data": "/etc"}, "expected a folder of the model"),
        ({"data": "."}, "expected a folder of the model"),
        ({"data": None}, "expected a folder of the model"),
        ({"data": "data/a\0b"}, "expected a folder of the model"),
        ({"data": "data/none"}, "no folder of the model"),
    ],
)
def test_an_mlmodel_that_names_more_is_refused(model: Path, changes: dict[str, Any], reason: str, folder: Path) -> None:
    (model / "code").mkdir()
    (model / "code" / "served.py").write_text(EVIL)
    content = yaml.safe_load((model / "MLmodel").read_text())
    content["flavors"]["python_function"].update(changes)
    (model / "MLmodel").write_text(yaml.safe_dump(content))
    with pytest.raises(WeightsError, match=reason):
        find.model(str(model))
    assert not (folder / "PWNED").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names other code"),
        ("flavors: []", "names other code"),
        ("flavors: {python_function: {loader_module: tlx.serving.served}, sklearn: {}}", "more than tlx writes"),
        ("!!python/object/apply:os.system ['touch PWNED']", "is not YAML"),
        ("[" * 9000, "nested"),
        ("a: &a [x]\nb: *c", "is not YAML"),
        ("{", "is not YAML"),
    ],
)
def test_an_mlmodel_that_is_none(model: Path, text: str, reason: str, folder: Path) -> None:
    (model / "MLmodel").write_text(text)
    with pytest.raises(WeightsError, match=reason):
        find.model(str(model))
    assert not (folder / "PWNED").exists()


def test_links_are_not_followed(model: Path, copied: Path, folder: Path) -> None:
    for name in (bundle.WEIGHTS, layout.CONFIG, facts.FILE):
        place = folder / f"linked-{name}"
        shutil.copytree(copied, place)
        (place / name).unlink()
        (place / name).symlink_to(copied / name)
        with pytest.raises(WeightsError, match="symbolic link"):
            bundle.read(place)
    os.mkfifo(folder / "pipe")
    (copied / facts.FILE).unlink()
    (folder / "pipe").rename(copied / facts.FILE)
    with pytest.raises(WeightsError, match="not a regular file"):
        bundle.read(copied)
    data = model / "data"
    data.rename(folder / "elsewhere")
    data.symlink_to(folder / "elsewhere")
    with pytest.raises(WeightsError, match="no folder of the model"):
        find.model(str(model))


@pytest.mark.parametrize("case", HOSTILE_FACTS)
def test_facts_of_another_shape_are_refused(copied: Path, case: str) -> None:
    change, reason = HOSTILE_FACTS[case]
    told(copied, change)
    with pytest.raises(WeightsError, match=reason):
        bundle.read(copied)


def test_facts_that_say_the_same_are_read(copied: Path) -> None:
    """What is refused above is refused for what it changes."""
    told(copied, lambda content: None)
    before = bundle.read(copied)
    told(copied, beside(GROUP))
    assert bundle.read(copied).schema.columns[:2] == before.schema.columns


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b"\xff", b"null", b'{"columns": 1e999}', b"9" * 9000])
def test_facts_that_are_none(copied: Path, content: bytes) -> None:
    (copied / facts.FILE).write_bytes(content)
    with pytest.raises(WeightsError, match=facts.FILE):
        bundle.read(copied)


HOSTILE: dict[str, dict[str, Any]] = {
    "a file of timm": {"args": {"checkpoint_path": "/etc/passwd"}},
    "weights of timm": {"args": {"pretrained_cfg": {"file": "/etc/passwd"}}},
    "a hub": {"name": "hf-hub:someone/evil"},
    "a folder": {"name": "local-dir:/etc"},
    "no such network": {"name": "resnet0"},
    "too many layers": {"args": {"layers": [10**7, 1, 1, 1], "channels": [16, 32, 64, 128]}},
    "too wide": {"args": {"layers": [1, 1, 1, 1], "channels": [10**6, 32, 64, 128]}},
    "a wide input": {"input": {"size": 10**6}},
    "an odd interpolation": {"input": {"size": 32, "interpolation": "../x"}},
    "another kind": {"kind": "transformers", "modality": "text"},
    "no kind": {"kind": "pickle"},
    "a module": {"args": {"norm_layer": "os.system"}},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_configurations_that_ask_for_more_than_there_is(copied: Path, case: str) -> None:
    configured(copied, lambda content: content["backbone"].update(HOSTILE[case]))
    with pytest.raises(WeightsError) as caught:
        bundle.read(copied)
    assert "root:" not in str(caught.value)


@pytest.mark.parametrize("weights", ["mlflow:" + "0" * 32, "trial:quickstart", "/etc/passwd", "hub"])
def test_what_it_was_trained_from_is_not_looked_for(copied: Path, weights: str) -> None:
    configured(copied, lambda content: content["backbone"].update(weights=weights))
    assert classes(bundle.read(copied))


@pytest.mark.parametrize(
    ("architecture", "settings_", "reason"),
    [
        ("detr", {"use_pretrained_backbone": True, "backbone": "resnet50"}, "outside of the folder|no text model"),
        ("bert", {"_name_or_path": "/etc"}, "outside of the folder: _name_or_path"),
        ("evil/remote", {}, "no text model"),
        ("bert", {"num_hidden_layers": 10**8}, "larger than its weights"),
        ("bert", {"vocab_size": 10**12}, "larger than its weights|tensors"),
        ("bert", {"hidden_size": -1}, "cannot be built|not a model type"),
    ],
)
def test_texts_that_ask_for_more(
    texts: Exported,  # noqa: F811
    folder: Path,
    architecture: str,
    settings_: dict[str, Any],
    reason: str,
) -> None:
    place = texts.copy(folder / "bundle")

    def change(content: dict[str, Any]) -> None:
        content["backbone"]["architecture"] = architecture
        content["backbone"]["settings"].update(settings_)

    configured(place, change)
    with pytest.raises(WeightsError, match=reason):
        bundle.read(place)


def test_a_header_that_promises_more_than_the_file(copied: Path) -> None:
    head = json.dumps({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    (copied / bundle.WEIGHTS).write_bytes(struct.pack("<Q", len(head)) + head)
    with pytest.raises(WeightsError):
        bundle.read(copied)


def test_a_file_larger_than_the_memory(copied: Path) -> None:
    with (copied / bundle.WEIGHTS).open("r+b") as stream:
        stream.truncate(1 << 43)  # sparse: it takes no room
    with pytest.raises(WeightsError, match="of memory"):
        bundle.read(copied)


def test_other_tensors_with_the_right_hash_are_refused(copied: Path) -> None:
    """Anybody can count the hash: it is the network of the configuration that says which tensors there may be."""
    save_file({"a": torch.zeros(3)}, copied / bundle.WEIGHTS)
    with pytest.raises(WeightsError, match=r"other tensors|larger than its weights"):
        bundle.read(copied)


@settings(max_examples=max(1, settings().max_examples // 2))
@given(data=some.data(), name=some.sampled_from([layout.CONFIG, facts.FILE, bundle.WEIGHTS]))
def test_any_damage_is_a_refusal(
    pictures: Exported,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
    data: some.DataObject,
    name: str,
) -> None:
    place = pictures.copy(tmp_path_factory.mktemp("damaged") / "bundle")
    content = bytearray((place / name).read_bytes())
    for _ in range(data.draw(some.integers(1, 5))):
        at = data.draw(some.integers(0, min(len(content), 5000)))
        content[at : at + data.draw(some.integers(0, 9))] = data.draw(some.binary(max_size=9))
    (place / name).write_bytes(content)
    with suppress(WeightsError):
        assert bundle.read(place).network is not None
