"""Before a sweep's first trial starts, every kind of trial in it has been built on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from tests.reports.test_look import Heard
from tlx.config.errors import ConfigError
from tlx.files.looking import shown_by
from tlx.orchestration import sweep as sweeps
from tlx.orchestration.preflight import preflight

BASE = ["dataset=digits", "dataset.shots=4", "strategy.budget=4 steps", "tracking=none"]


@pytest.mark.slow
def test_nothing_runs_when_one_trial_cannot(folder: Path) -> None:
    words = ["backbone=narrow_resnet", "strategy=feature_extraction,prefix,top_k", *BASE]
    jobs = [sweeps.job(trial) for trial in sweeps.plan([*words, "strategy.phases.0.train=[head,'stages[99]']"])]
    with pytest.raises(ConfigError) as caught:
        sweeps.run("sweep", jobs, Console(quiet=True))
    assert {problem.key for problem in caught.value.problems} == {"strategy.phases.0.train", "strategy.peft.kind"}
    assert not list(folder.glob("runs/*/events.jsonl"))


@pytest.mark.slow
def test_what_can_run_is_let_through(folder: Path) -> None:
    preflight(sweeps.plan(["backbone=narrow_resnet", "strategy=chain_thaw,ulmfit", *BASE[:2], "seed=0,1"]))


@pytest.mark.slow
def test_a_look_in_its_process_is_shown_here_and_is_one_for_the_same_data(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TLX_CACHE", str(folder / "cache"))
    for i in range(20):
        place = folder / "images" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (i, i, i)).save(place / f"{i}.png")
    (folder / "images" / "a" / "broken.png").write_text("no image")
    words = ["backbone=pixels,narrow_resnet", "strategy=feature_extraction,scratch", "dataset=imagefolder"]
    trials = sweeps.plan([*words, "dataset.root=images", "dataset.on_bad=skip", "tracking=none"])
    heard = Heard()
    with shown_by(heard):
        preflight(trials)
    assert [look[:3] for look in heard.looks].count(("looking at", "images", 21)) == 1
    assert heard.ended == len(heard.looks)
    trials = sweeps.plan([*words, "dataset.root=images", "tracking=none"])
    with shown_by(heard), pytest.raises(ConfigError, match=r"broken\.png") as caught:
        preflight(trials)
    assert [problem.key for problem in caught.value.problems] == ["images/a/broken.png", "dataset.on_bad"]
