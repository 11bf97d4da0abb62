"""A stranger's run folder is built from itself alone: it leads nowhere, and is no larger than its tensors."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from safetensors.torch import save_file

from tests.files.test_foreign import trees
from tests.security.test_bundle import HOSTILE, configured
from tests.serving.conftest import Exported, pictures, texts  # noqa: F401 (fixtures)
from tlx.config.errors import RequestError, WeightsError
from tlx.runs import layout
from tlx.training.network import trained

opened: list[str] = []
listening = False


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if listening and event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        opened.append(os.path.abspath(os.fsdecode(arguments[0])))


@pytest.fixture
def copied(pictures: Exported, folder: Path) -> Path:  # noqa: F811
    return Path(shutil.copytree(pictures.run, folder / "theirs"))


@pytest.mark.parametrize("case", sorted(HOSTILE.keys() - {"an odd interpolation"}))  # which is told when it is used
def test_configurations_that_ask_for_more_than_there_is(copied: Path, case: str) -> None:
    configured(copied, lambda content: content["backbone"].update(HOSTILE[case]))
    with pytest.raises(RequestError) as caught:
        trained(copied)
    assert "root:" not in str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "changes", "reason"),
    [
        ("bert", {"_name_or_path": "/etc"}, "outside of the folder: _name_or_path"),
        ("evil/remote", {}, "no text model"),
        ("bert", {"num_hidden_layers": 10**8}, "larger than its weights"),
    ],
)
def test_texts_that_ask_for_more(
    texts: Exported,  # noqa: F811
    folder: Path,
    architecture: str,
    changes: dict[str, Any],
    reason: str,
) -> None:
    place = Path(shutil.copytree(texts.run, folder / "theirs"))

    def change(content: dict[str, Any]) -> None:
        content["backbone"]["architecture"] = architecture
        content["backbone"]["settings"].update(changes)

    configured(place, change)
    with pytest.raises(WeightsError, match=reason):
        trained(place)


def test_nothing_outside_of_it_is_read(copied: Path, folder: Path) -> None:
    (folder / "secret").write_text("PRIVATE")

    def change(content: dict[str, Any]) -> None:
        content["backbone"].update(weights=str(folder / "secret"))
        content["strategy"].update(init=f"run:{folder / 'secret'}")
        content["tracking"].update(uri=f"sqlite:///{folder / 'secret'}")

    configured(copied, change)
    sys.addaudithook(_hear)
    global listening
    try:
        listening = True
        trained(copied)
    finally:
        listening = False
    inside = [path for path in opened if path.startswith(str(folder))]
    assert inside
    assert all(path.startswith(f"{copied}{os.sep}") for path in inside)


def refers(known: dict[str, Any]) -> None:
    known.update(tensors=1, bytes=10, stored=False)


@pytest.mark.parametrize(
    "change",
    [
        refers,
        lambda known: known.update(stored=True, tensors=3),
        lambda known: known.update(tensors=3, bytes=1 << 60, stored=False),
        lambda known: known.update(tensors="3"),
        lambda known: known.pop("sum"),
        lambda known: known.update(source=None),
    ],
)
def test_what_it_says_of_frozen_tensors_is_checked(copied: Path, change: Callable[[dict[str, Any]], object]) -> None:
    known = json.loads((copied / layout.FROZEN).read_text())
    change(known)
    (copied / layout.FROZEN).write_text(json.dumps(known))
    with pytest.raises(WeightsError):
        trained(copied)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "other tensors", "the same tensors", "no file"])
def test_frozen_tensors_that_are_none(copied: Path, folder: Path, kind: str) -> None:
    known = json.loads((copied / layout.FROZEN).read_text())
    (copied / layout.FROZEN).write_text(json.dumps({**known, "tensors": 1, "stored": True}))
    file = copied / layout.FROZEN_TENSORS
    if kind == "link":
        file.symlink_to(copied / layout.CHECKPOINT)
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "other tensors":
        save_file({"head.weight2": torch.zeros(3)}, file)
    elif kind == "the same tensors":
        shutil.copy(copied / layout.CHECKPOINT, file)
    with pytest.raises(WeightsError):
        trained(copied)


@settings(max_examples=max(1, settings().max_examples // 2))
@given(some.sampled_from([layout.FROZEN, layout.SCHEMA, layout.CONFIG]), trees)
def test_any_value_in_any_file(copied: Path, pictures: Exported, name: str, tree: object) -> None:  # noqa: F811
    (copied / name).write_text(json.dumps(tree))
    with pytest.raises(RequestError):
        trained(copied)
    shutil.copy(pictures.run / name, copied / name)
