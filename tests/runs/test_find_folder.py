"""A trial is found by its identity, whatever it is called now."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.runs.test_folder import train
from tlx.runs import find_folder as finding
from tlx.runs.find_folder import find_folder
from tlx.runs.folder import RunFolder
from tlx.tracking.event_log import EventLog

KEY = "0123456789abcdef"


def finish(path: Path, identity: str = KEY) -> Path:
    """A finished trial in a folder."""
    train(RunFolder(path, identity, "any", {}))
    return path


def begin(path: Path, identity: str = KEY) -> Path:
    """A trial that was begun in a folder."""
    path.mkdir(parents=True)
    EventLog(path).begin(kind="train", identity=identity, name="any", experiment="any", tags={}, params={}, tracking={})
    return path


@pytest.mark.parametrize("state", [finish, begin])
def test_under_another_name(tmp_path: Path, state: object) -> None:
    assert callable(state)
    there = state(tmp_path / f"old-{KEY[:12]}")
    assert find_folder(tmp_path, "new", KEY) == there
    assert find_folder(tmp_path, "old", KEY) == there


def test_finished_comes_before_begun_and_its_own_before_others(tmp_path: Path) -> None:
    own = begin(tmp_path / f"new-{KEY[:12]}")
    assert find_folder(tmp_path, "new", KEY) == own
    other = finish(tmp_path / f"old-{KEY[:12]}")
    assert find_folder(tmp_path, "new", KEY) == other
    finish(own)
    assert find_folder(tmp_path, "new", KEY) == own


@pytest.mark.parametrize("state", [finish, begin])
def test_the_end_of_a_name_is_not_enough(tmp_path: Path, state: object) -> None:
    assert callable(state)
    state(tmp_path / f"old-{KEY[:12]}", KEY[:12] + "9999")
    (tmp_path / f"empty-{KEY[:12]}").mkdir()
    assert find_folder(tmp_path, "new", KEY) == tmp_path / f"new-{KEY[:12]}"
    assert find_folder(tmp_path / "nowhere", "new", KEY) == tmp_path / "nowhere" / f"new-{KEY[:12]}"


def test_a_folder_is_listed_once_while_nothing_comes_or_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[Path] = []
    whole = os.listdir

    def counted(path: Path) -> list[str]:
        listed.append(path)
        return whole(path)

    monkeypatch.setattr(os, "listdir", counted)
    monkeypatch.setattr(finding, "is_settled", lambda found: True)
    for number in range(20):
        find_folder(tmp_path, f"new{number}", f"{number:016}")
    assert listed == [tmp_path]
    finish(tmp_path / f"old-{KEY[:12]}")
    assert find_folder(tmp_path, "new", KEY).name == f"old-{KEY[:12]}"
