"""Weights that others made: none is larger in memory than its file can hold, and none that is no file is opened."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from tlx.backbones import weight_files
from tlx.backbones.weights import read
from tlx.config.errors import WeightsError


def refused(source: str | Path) -> str:
    """The message of weights that are refused."""
    with pytest.raises(WeightsError) as caught:
        read(source)
    (problem,) = caught.value.problems
    assert problem.key == "backbone.weights"
    return problem.message


def safetensors(path: Path, header: Any, content: bytes = b"") -> Path:
    """A file of safetensors that says what is wanted of it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)
    return path


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}},
        {"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F33", "shape": [1], "data_offsets": [0, 4]}},
        {"a": [1, 2]},
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_tensor_that_is_not_in_its_file_is_refused(folder: Path, header: Any) -> None:
    assert "not a readable safetensors file" in refused(safetensors(folder / "a.safetensors", header, bytes(4)))


def test_a_header_that_claims_everything_is_refused(folder: Path) -> None:
    (folder / "a.safetensors").write_bytes(struct.pack("<Q", 1 << 50) + b"{}")
    assert "header" in refused("a.safetensors")


def test_an_archive_that_unpacks_to_far_more_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_files, "_SMALL", 1 << 20)
    torch.save({"a": torch.zeros(1_000_000)}, "plain.pth")
    assert read("plain.pth")["a"].shape == (1_000_000,)
    with zipfile.ZipFile("plain.pth") as plain, zipfile.ZipFile("bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name))
    assert "its archive unpacks to" in refused("bomb.pth")


def test_a_number_repeated_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"a": torch.ones(1).expand(10**12)}, "endless.pth")
    assert "its tensors have 4,000,000,000,000 bytes" in refused("endless.pth")
    monkeypatch.setattr(weight_files, "_LARGEST", 100)
    assert "at most 100" in refused("endless.pth")


def test_a_storage_that_is_smaller_than_it_says_is_refused() -> None:
    torch.save({"a": torch.arange(10.0)}, "true.pth")
    with zipfile.ZipFile("true.pth") as true, zipfile.ZipFile("false.pth", "w") as false:
        for name in true.namelist():
            content = true.read(name)
            false.writestr(name, content.replace(b"K\x0at", b"J\x00\x00\x00\x10t"))
    assert "torch cannot read it" in refused("false.pth")


@pytest.mark.parametrize("tensor", [torch.ones(3).to_sparse(), torch.empty(3, device="meta")])
def test_what_is_no_plain_tensor_is_refused(tensor: torch.Tensor) -> None:
    torch.save({"a": tensor}, "other.pth")
    assert "a is no plain tensor" in refused("other.pth")


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_pipes_and_links_in_circles_are_refused_without_waiting(folder: Path, name: str) -> None:
    os.mkfifo(name)
    assert "found a pipe" in refused(name)
    (folder / "weights").mkdir()
    os.mkfifo(folder / "weights" / "model.safetensors")
    assert "the folder holds none of" in refused("weights")
    (folder / "loop.pth").symlink_to("loop.pth")
    assert "cannot be read" in refused("loop.pth")


@pytest.mark.parametrize(
    "name", ["/dev/zero", "x" * 300, "nul\0", "~nobody-of-this-name/x.pth", "nowhere/x.pth", "a/b"]
)
def test_a_name_that_leads_to_no_file_is_refused(folder: Path, name: str) -> None:
    (folder / "a").write_text("a file")
    assert refused(name)


@given(harm=some.lists(some.tuples(some.integers(0, 10**6), some.integers(0, 255)), min_size=1, max_size=4))
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_any_damage_is_a_named_problem_or_none(folder: Path, name: str, harm: list[tuple[int, int]]) -> None:
    content = bytearray(sound(name))
    for place, value in harm:
        content[place % len(content)] = value
    (folder / name).write_bytes(content)
    with suppress(WeightsError):  # anything else is a traceback
        assert read(folder / name)


def sound(name: str) -> bytes:
    """A small file of tensors."""
    from safetensors.torch import save

    state = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2)}
    if name.endswith(".safetensors"):
        return save(state)
    torch.save(state, "sound.pth")
    return Path("sound.pth").read_bytes()
