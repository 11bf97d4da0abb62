"""``tlx reuse``: what there is, making room, and requests that are wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tlx.cli import main

os.environ.setdefault("HF_HUB_OFFLINE", "1")
TRIAL = [
    "backbone=narrow_resnet",
    "backbone.weights=none",
    "dataset=digits",
    "strategy=feature_extraction",
    "strategy.batch_size=64",
    "tracking=none",
    "hardware=cpu",
    "hardware.threads=1",
    "output=runs",
    "reuse.folder=store",
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TLX_CACHE", str(tmp_path / "cache"))


def test_an_empty_store_has_nothing_to_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reuse", "ls"]) == 0
    assert "0 entries, 0.0 MB of 20.0 GB" in capsys.readouterr().out


def test_what_a_trial_kept_is_listed_and_can_be_pruned(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TRIAL, "strategy.budget=3 epochs"]) == 0
    capsys.readouterr()
    assert main(["reuse", "ls", "reuse.folder=store"]) == 0
    shown = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in shown[1:-1]]
    assert {(row[0], row[2], row[3], row[4]) for row in rows} >= {
        ("narrow_resnet", "digits", "train", "700"),
        ("narrow_resnet", "digits", "val", "200"),
    }
    size = sum(file.stat().st_size for file in Path("store").glob("*/*.npy"))
    assert shown[-1].startswith(f"{len(rows)} entries, {size / 1e6:.1f} MB of 20.0 GB")
    assert main(["reuse", "prune", "reuse.folder=store"]) == 0  # within the budget: nothing goes
    assert "freed 0.0 MB" in capsys.readouterr().out
    assert main(["reuse", "prune", "--to", "0 MB", "reuse.folder=store"]) == 0
    assert f"freed {size / 1e6:.1f} MB" in capsys.readouterr().out
    assert not list(Path("store").glob("*/entry.json"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["prun"], "did you mean prune?"),
        (["prune", "--to", "much"], "expected a size like '20 GB'"),
        (["ls", "reuse.disk=5"], "expected a size like '20 GB'"),
        (["ls", "reuse.flder=x"], "did you mean reuse.folder?"),
        (["ls", "strategy.lr=1"], "expected settings of reuse only"),
    ],
)
def test_a_wrong_request_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reuse", *words]) == 2
    assert said in capsys.readouterr().err
