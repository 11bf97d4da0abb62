"""``tlx runs rm``: what it removes, and all that it leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from mlflow import MlflowClient

from tests.conftest import Said
from tlx.files import marks
from tlx.runs import removal
from tlx.runs.lock import locked

WORDS = ["backbone=pixels", "strategy=feature_extraction", "strategy.budget=2 steps", "dataset=digits"]


def trials() -> list[Path]:
    """The folders of finished trials."""
    return sorted(path.parent for path in Path("runs").glob("*/result.json"))


@pytest.mark.slow
def test_a_sweep_is_removed_but_for_what_another_has(folder: Path, said: Said) -> None:
    said("sweep", *WORDS, "seed=1,2", "sweep.name=one")
    said("sweep", *WORDS, "seed=2,3", "sweep.name=two", "tracking=none")
    first, second, third = trials()
    assert "nothing is removed" in said("runs", "rm", "one", code=2)
    assert "would remove" in said("runs", "rm", "one", "--dry-run")
    assert trials() == [first, second, third]
    text = said("runs", "rm", "one", "--yes")
    assert f"{second.name} stays: it is a trial of two as well" in text
    assert trials() == [second, third]
    assert not Path("runs/one").exists()
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tlx/trials")
    assert experiment is not None
    left = client.search_runs([experiment.experiment_id])
    assert [Path(run.data.tags["tlx.folder"]).name for run in left] == [second.name]
    said("runs", "rm", str(second), left[0].info.run_id, "--yes")
    assert trials() == [third]
    said("sweep", *WORDS, "seed=1,2", "tracking=none")
    assert trials() == [first, second, third]  # made again


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished trial."""
    import tlx

    place = tmp_path_factory.mktemp("made")
    result = tlx.train(tlx.compose([*WORDS, "tracking=none", f"output={place / 'runs'}"]))
    return place / "runs" / result.folder


def copy(made: Path, place: Path) -> Path:
    """The same, in a folder of runs elsewhere."""
    import shutil

    (place / "runs").mkdir(parents=True)
    shutil.copy(made.parent / ".tlx", place / "runs")
    return Path(shutil.copytree(made, place / "runs" / made.name))


def snapshot(root: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_what_is_being_run_stays(made: Path, tmp_path: Path) -> None:
    place = copy(made, tmp_path / "a")
    with locked(place, "it"):
        assert "is being run" in removal.obstacle(place)
        with pytest.raises(ValueError, match="is being run"):
            removal.remove(place)
    removal.remove(place)
    assert os.listdir(tmp_path / "a" / "runs") == [".tlx"]


def test_a_removal_that_was_killed_is_gone_on_with(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = copy(made, tmp_path / "a")
    with monkeypatch.context() as patch:
        patch.setattr(marks, "remove_files", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            removal.remove(place)
    assert not place.exists()
    removal.finish_interrupted(place.parent)
    assert os.listdir(place.parent) == [".tlx"]


ODD = some.sampled_from(["notes.txt", "model.pt", "result.json.bak", "sub/result.json", "weights", "events.jsonl.old"])


@given(name=ODD, kind=some.sampled_from(["file", "link", "unmarked", "linked folder"]))
def test_nothing_else_is_touched(made: Path, tmp_path_factory: pytest.TempPathFactory, name: str, kind: str) -> None:
    root = tmp_path_factory.mktemp("some")
    place = copy(made, root)
    if kind == "file":
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text("mine")
    elif kind == "link":
        (root / "precious").write_text("mine")
        (place / "log.txt").unlink(missing_ok=True)
        (place / "log.txt").symlink_to(root / "precious")
    elif kind == "unmarked":
        (root / "runs" / ".tlx").unlink()
    else:
        (root / "elsewhere").mkdir()
        place.rename(root / "elsewhere" / place.name)
        place.symlink_to(root / "elsewhere" / place.name)
    before = snapshot(root)
    assert removal.obstacle(place)
    with pytest.raises(ValueError, match=r"."):
        removal.remove(place)
    assert snapshot(root) == before
