"""Weights that do not fit are refused with the count and the likely reason; objects are never unpickled."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch

from tests.backbones.conftest import NAME, State, counted, prefixed, read
from tlx.config.errors import WeightsError


def refused(weights: str, prefix: str | None = None) -> dict[str, str]:
    """The problems of weights that are refused, by key."""
    with pytest.raises(WeightsError) as caught:
        read(weights, prefix)
    return {problem.key: problem.message for problem in caught.value.problems}


def test_another_architecture_is_refused_with_the_count(state: State) -> None:
    torch.save(timm.create_model("test_vit").state_dict(), "vit.pth")
    problems = refused("vit.pth")
    assert problems["backbone.weights"].startswith(f"0 of {len(counted(state))} tensors fit (0%)")
    assert "conv1.0.weight" in problems["missing"]
    assert "cls_token" in problems["unexpected"]


def test_another_size_is_refused_with_the_shapes(state: State) -> None:
    other = {n: torch.cat([t, t]) if t.ndim else t for n, t in state.items()}
    torch.save(other, "wide.pth")
    problems = refused("wide.pth")
    assert problems["shapes"].startswith(f"{len(counted(state))} differ")
    assert f"{list(state['conv1.0.weight'].shape)} here" in problems["shapes"]


def test_an_unknown_prefix_is_suggested_and_works_when_given(state: State) -> None:
    torch.save({**prefixed(state, "student.trunk."), "teacher.weight": torch.ones(2)}, "named.pth")
    assert "backbone.weights_prefix=student.trunk." in refused("named.pth")["prefix"]
    loaded = read("named.pth", "student.trunk.")
    assert [n for n in state if not torch.equal(loaded.module.state_dict()[n], state[n])] == []
    assert "no tensor name begins with it" in refused("named.pth", "pupil.")["backbone.weights_prefix"]


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"not weights at all", b"PK\x03\x04 a torn archive"])
@pytest.mark.parametrize("file", ["broken.pth", "broken.safetensors"])
def test_an_unreadable_file_is_an_error_of_the_weights(file: str, content: bytes) -> None:
    Path(file).write_bytes(content)
    assert list(refused(file)) == ["backbone.weights"]


def test_pickled_objects_are_refused_and_not_run(state: State) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
            return Path.touch, (Path("exploded"),)

    torch.save({"state_dict": state, "extra": Bomb()}, "bomb.pth")
    assert "pickled objects are refused" in refused("bomb.pth")["backbone.weights"]
    torch.save(timm.create_model(NAME), "whole.pth")
    assert "pickled objects are refused" in refused("whole.pth")["backbone.weights"]
    assert not Path("exploded").exists()


def test_nothing_there_is_said() -> None:
    assert "no such file or folder" in refused("nowhere.pth")["backbone.weights"]
    Path("hollow").mkdir()
    assert "model.safetensors" in refused("hollow")["backbone.weights"]
    torch.save({"epoch": 3}, "words.pth")
    assert "no tensors" in refused("words.pth")["backbone.weights"]


def test_a_few_missing_tensors_are_accepted_and_listed_more_are_not(state: State) -> None:
    names = counted(state)
    most = math.floor(0.05 * len(names))  # 95 % must fit
    torch.save({n: t for n, t in state.items() if n not in names[-most:]}, "most.pth")
    match = read("most.pth").match
    assert match is not None
    assert (match.matched, match.total, match.missing) == (len(names) - most, len(names), tuple(names[-most:]))
    torch.save({n: t for n, t in state.items() if n not in names[-most - 1 :]}, "few.pth")
    problems = refused("few.pth")
    assert problems["backbone.weights"].startswith(f"{len(names) - most - 1} of {len(names)} tensors fit")
    assert names[-1] in problems["missing"]
