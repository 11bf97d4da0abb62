"""A project that brings its own parts: trained, interrupted, changed, taken away, broken."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Said
from tests.examples.own_parts import EXAMPLE, WORDS, Project
from tlx.runs.lock import owner

LOOK_UP = [
    *(["train", *WORDS], ["plan", *WORDS], ["sweep", *WORDS, "seed=0,1"], ["help", "callbacks.drift"], ["list"]),
    *(["results", "x"], ["reproduce", "x"], ["diff", "x", "y"], ["why", "x"], ["export", "x"], ["serve", "x"]),
    *(["report", "experiment=cohorts"], ["schema"], ["plugins", "check"]),
]


@pytest.mark.long
def test_its_own_tests_pass(project: Project) -> None:
    """The contract checks among them."""
    assert "passed" in project.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")


def test_until_it_is_trusted_every_verb_that_looks_parts_up_says_what_to_type(
    said: Said, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    monkeypatch.delenv("TLX_TRUST", raising=False)
    monkeypatch.chdir(EXAMPLE)
    for words in LOOK_UP:
        assert "look at it, then: tlx plugins trust" in said(*words, code=2), words
    assert "not trusted, so not loaded" in said("plugins", "ls")


@pytest.mark.long
def test_one_of_the_project_is_trained_repeated_and_missed_elsewhere(
    project: Project, said: Said, folder: Path
) -> None:
    """Repeated bit for bit; another folder has not its parts, and says whose they are."""
    project.tlx("train", *WORDS, "callbacks.drift={}", "task.metrics.within_one={far: 2}")
    (outcome,) = project.outcomes().values()
    assert outcome["metrics"]["test/within_one"] > 0.5
    (run,) = (path.parent for path in project.folder.glob("runs/*/result.json"))
    again = project.tlx("reproduce", str(run))
    assert "verdict: bitwise" in again
    assert "logged: models:/" in project.tlx("export", str(run))
    for words in (["reproduce", run], ["diff", run, run], ["why", run], ["export", run], ["serve", run]):
        text = " ".join(said(*map(str, words), code=2).split())
        assert "the plugin progression (backbone=waves, callback=drift, dataset=patients, " in text
        assert f"it was of the project {project.folder}: work in it" in text


@pytest.mark.long
def test_heads_side_by_side_are_those_of_one_after_the_other(project: Project) -> None:
    words = [*WORDS, "strategy=feature_extraction", "strategy.init=scratch", "strategy.lr=0.01,0.1"]
    project.tlx("sweep", *words)
    project.tlx("sweep", *words, "output=alone", "reuse=off")
    logs = [path.read_text() for path in project.folder.glob("runs/waves*/log.txt")]
    assert all("one of 2 heads trained together" in text for text in logs)
    together, alone = project.outcomes(), project.outcomes("alone")
    assert together.keys() == alone.keys()
    for identity, found in together.items():
        assert found["metrics"] == pytest.approx(alone[identity]["metrics"], abs=1e-4)


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        ["strategy=gradual_unfreezing", "callbacks.drift={every: 2}", "task.metrics.within_one={}", "seed=0"],
        ["strategy=feature_extraction", "strategy.init=scratch", "strategy.lr=0.01,0.1"],
    ],
    ids=["one", "heads"],
)
def test_what_is_killed_goes_on_and_ends_with_the_same_bits(project: Project, words: list[str]) -> None:
    words = ["sweep", *WORDS, *words, "strategy.budget=120 steps"]
    process = project.begin(*words, "--jobs", "1")
    os.kill(_worker(project.folder / "runs", process), signal.SIGKILL)
    process.communicate(timeout=300)
    assert not project.outcomes()
    project.tlx(*words)
    logs = "".join(path.read_text() for path in project.folder.glob("runs/*/log.txt"))
    assert ("resuming after step" in logs) == ("heads trained together" not in logs)  # heads begin anew, together
    project.tlx(*words, "output=whole")
    assert project.outcomes() == project.outcomes("whole")


def _worker(root: Path, process: subprocess.Popen[str]) -> int:
    """The process of a trial that has saved its state."""
    for _ in range(1200):
        assert process.poll() is None, process.communicate()
        for path in root.glob("waves*/events.jsonl"):
            if path.read_text().count("metrics") > 2:
                return int(owner(path.parent).split()[1])
        time.sleep(0.1)
    raise AssertionError("nothing began")


@pytest.mark.long
def test_a_line_of_its_code_makes_another_trial_and_why_names_the_file(project: Project) -> None:
    """So does a comment in a file that the trial does not use: the hash is of every file of the package."""
    project.tlx("train", *WORDS)
    assert "already finished" in project.tlx("train", *WORDS)
    project.change("progression/waves.py", "0.3 * torch.randn", "0.2 * torch.randn")
    assert "progression/waves.py" in project.tlx("why", *WORDS)
    project.change("progression/waves.py", "0.2 * torch.randn", "0.3 * torch.randn")
    assert "already finished" in project.tlx("train", *WORDS)
    project.change("progression/make.py", "    frame =", "    # of scikit-learn\n    frame =")
    assert "progression/make.py" in project.tlx("why", *WORDS)


BROKEN = {
    "syntax": ("progression/parts.py", "import tlx\n", "import tlx\ndef (\n", r"SyntaxError.*progression/parts\.py:10"),
    "import": ("progression/parts.py", "import tlx\n", "import tlx, nowhere\n", r"'nowhere'.*progression/parts\.py:9"),
    "twice": (
        "progression/parts.py",
        '"within_one",',
        '"fbeta",',
        r"metric=fbeta is there already.*progression/parts\.py",
    ),
    "module": ("pyproject.toml", '["progression.parts"]', '["progresion.parts"]', "no module 'progresion'"),
    "list": ("pyproject.toml", '["progression.parts"]', '"progression.parts"', "expected a list of modules"),
    "name": ("progression/parts.py", "waves:load", "waves:lod", "progression.waves has no lod; did you mean load"),
    "late": ("progression/waves.py", "import math\n", "import maths\n", r"'maths'.*progression/waves\.py:3"),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["syntax", *(pytest.param(how, marks=pytest.mark.long) for how in list(BROKEN)[1:])])
def test_what_is_broken_is_named_with_its_place(project: Project, how: str) -> None:
    file, old, new, expected = BROKEN[how]
    project.change(file, old, new)
    text = " ".join(project.tlx("plan", *WORDS, code=2, TLX_TRUST="1").split())
    assert "Traceback" not in text
    assert re.search(expected, text), text


@pytest.mark.long
def test_an_option_without_help_fails_the_check(project: Project) -> None:
    project.change("progression/parts.py", 'option(32, "features", above=0)', "32")
    text = project.tlx("plugins", "check", "progression", "strategy.budget=2 steps", code=1)
    assert "options of backbone=waves without help: width" in text
