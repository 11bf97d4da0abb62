"""A run whose folder is not on this machine is put together from its MLflow artifacts, and used as any other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

import tlx
from tests.conftest import Said
from tlx.config.cache import cache_root
from tlx.config.errors import ConfigError
from tlx.orchestration import find
from tlx.runs import layout
from tlx.runs import result as results
from tlx.tracking import artifacts, state
from tlx.training.locate import locate
from tlx.training.network import trained
from tlx.training.rebuild import parameters_and_buffers

WORDS = ["backbone=narrow_bert", "strategy=feature_extraction", "strategy.init=scratch", "dataset=docstrings"]
SHORT = ["dataset.shots=4", "strategy.budget=2 steps", "hardware.threads=1", "tracking=mlflow"]


@pytest.fixture
def sent(said: Said) -> Path:
    """A finished run that MLflow has."""
    said("train", *WORDS, *SHORT)
    return locate(tlx.compose([*WORDS, *SHORT])).path


def run_id(where: Path) -> str:
    found = state.run_id(where)
    assert found is not None
    return found


@pytest.mark.long
def test_a_run_loads_from_its_artifacts(sent: Path, folder: Path, said: Said) -> None:
    run, wanted = run_id(sent), parameters_and_buffers(trained(sent).model)
    assert find.runs(run) == [sent]
    shutil.move(sent, folder / "gone")
    (copy,) = find.runs(run)
    assert copy == cache_root() / "runs" / run
    found = parameters_and_buffers(trained(copy).model)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert results.read_result(copy) == results.read_result(folder / "gone")
    words = ["strategy=feature_extraction", *SHORT, "dataset=docstrings", "backbone=narrow_bert", "tracking=none"]
    for way in (f"backbone.weights=mlflow:{run}", f"strategy.init=mlflow:{run}"):
        trial = tlx.compose([*words[:1], *[w for w in words[1:] if w != "tracking=mlflow"], way])
        tlx.train(trial)
        began = parameters_and_buffers(trained(locate(trial).path).model)
        assert all(torch.equal(began[name], wanted[name]) for name in wanted if name.startswith("backbone."))
    with pytest.raises(ConfigError, match="not on this machine"):
        find.run_folders(run)  # what is removed or sent is the folder itself


def test_a_folder_with_another_attempt_is_not_taken_for_the_run(sent: Path, said: Said) -> None:
    run = run_id(sent)
    (sent / layout.PREDICTIONS).unlink()
    said("train", *WORDS, *SHORT)
    assert run_id(sent) != run
    assert find.runs(run_id(sent)) == [sent]
    assert find.runs(run) == [cache_root() / "runs" / run]


def test_what_was_too_large_is_named(folder: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "LARGEST", 1 << 10)
    said("train", *WORDS, *SHORT)
    where = locate(tlx.compose([*WORDS, *SHORT])).path
    run = run_id(where)
    shutil.move(where, folder / "gone")
    with pytest.raises(ConfigError, match=r"hold no trained model \(checkpoint.safetensors, .*: over 0 MB\)"):
        find.runs(run)


def test_what_never_trained_and_was_too_large_is_had_from_where_it_came(
    folder: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "LARGEST", 1 << 14)
    said("train", *WORDS, *SHORT)
    where = locate(tlx.compose([*WORDS, *SHORT])).path
    sizes = [(where / name).stat().st_size for name in (layout.CHECKPOINT, layout.FROZEN_TENSORS)]
    assert sizes[0] < artifacts.LARGEST < sizes[1]
    run, wanted = run_id(where), parameters_and_buffers(trained(where).model)
    shutil.move(where, folder / "gone")
    (copy,) = find.runs(run)
    assert not (copy / layout.FROZEN_TENSORS).exists()
    assert results.result_in(copy) is not None
    found = parameters_and_buffers(trained(copy).model)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
