"""Every command in the documentation runs as it is written, in the order of its page."""

from __future__ import annotations

import glob
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Said

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if path.name != "README.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TRIAL = ["backbone=pixels", "strategy=feature_extraction", "dataset=digits", "strategy.budget=4 steps"]
LONG = (  # most of the time of all pages
    *("python.md", "tables.md", "predict.md", "interruptions.md", "serving.md"),
    *("callbacks.md", "run-folder.md", "columns.md", "loggers.md", "parts.md"),
    *("studies.md", "searches.md", "own-data.md", "foreign-runs.md"),
)
SAYS = {  # what a page promises of a command's output, by the command's beginning and the count of its runs
    ("interruptions.md", "tlx train", 2): "already finished; nothing was trained",
    ("interruptions.md", "tlx train", 3): "it was finished, but predictions.jsonl is gone: it is run again",
    ("files.md", "tlx reuse prune", 1): "freed",
    ("sweeps.md", "tlx sweep", 2): "2 trials run, 4 already finished",
    ("sweeps.md", "tlx status", 2): "rates  6 trials: 6 done",
    ("sweeps.md", "tlx results", 2): "6 trials are in rates.csv",
    ("experiments.md", "tlx plan", 1): "feature_extraction  20 steps",
    ("experiments.md", "tlx train", 1): "seed: 7",
    ("reproduce.md", "tlx reproduce", 1): "verdict: bitwise",
    ("reproduce.md", "tlx reproduce", 3): '"altered": []',
    ("identity.md", "tlx train", 2): "already finished; nothing was trained",
    ("identity.md", "tlx why", 1): "strategy.budget",
    ("editors.md", "tlx plan", 1): "test the last",
    ("tasks.md", "tlx help", 1): "auto",
    ("metrics.md", "tlx train", 1): "test/balanced_accuracy",
    ("metrics.md", "tlx results", 1): "average_precision",
    ("metrics.md", "tlx train", 2): "calibration: temperature",
    ("imbalance.md", "tlx results", 1): "average_precision",
    ("imbalance.md", "tlx plan", 1): "sampler   balanced: examples of each class in train -> drawn per epoch:",
    ("imbalance.md", "tlx train", 2): "sampler: square_root",
    ("tasks.md", "tlx train", 2): "test/fbeta",
    ("tables.md", "tlx plan", 1): "a number, 148.4 ± 76.7 in train",
    ("tables.md", "tlx train", 1): "test/rmse",
    ("tables.md", "tlx sweep", 1): "6 trials run",
    ("columns.md", "tlx train", 1): "columns as found in train: age (number), sex (category)",
    ("columns.md", "tlx train", 2): "rows skipped",
    ("columns.md", "tlx train", 4): "40 labels of 40 rows are unknown",
    ("splits.md", "tlx plan", 1): "equal one of train or val",
    ("splits.md", "tlx plan", 2): "are copies of others, and lie in the same split",
    ("splits.md", "tlx plan", 3): "35 train, 10 val, 15 test",
    ("splits.md", "tlx plan", 4): "fold=2",
    ("splits.md", "tlx train", 2): "no test split: dataset.test=0",
    ("images.md", "tlx plan", 1): "6 channels, 0 black, 4095 white",
    ("images.md", "tlx train", 1): "1 % and 99 % of train",
    ("callbacks.md", "tlx train", 1): "grad_norm/head",
    ("callbacks.md", "tlx help", 1): "optimizer steps between looks",
    ("loggers.md", "tlx help", 1): "wandb sync sends the rest",
    ("plugins.md", "tlx plugins", 1): "not trusted, so not loaded",
    ("plugins.md", "tlx plugins", 3): "callback=say  Says which step it is.",
    ("plugins.md", "tlx sweep", 1): "2 trials run",
    ("python.md", "tlx train", 1): "test/acc",
    ("run-folder.md", "tlx export", 1): "tensors that never trained",
    ("run-folder.md", "tlx export", 2): "were put in",
    ("run-folder.md", "tlx plan", 1): "weights: run:whole",
    ("sweeps.md", "tlx runs", 2): "removed 7 folders",
    ("predict.md", "tlx predict", 1): "50 predicted: predictions.csv",
    ("predict.md", "tlx predict", 4): "columns that the model does not read: target",
    ("predict.md", "tlx evaluate", 1): "test of digits: 897 examples",
    ("predict.md", "tlx evaluate", 3): '"examples": 442',
    ("studies.md", "tlx plan", 1): "up to 3 more follow",
    ("studies.md", "tlx plan", 2): "(auto), 5 times; five looks per phase: validation is 18 % of the work",
    ("studies.md", "tlx sweep", 1): "before its first trial; kept",
    ("studies.md", "tlx report", 1): "paired gain over as it is",
    ("studies.md", "tlx sweep", 2): "changed since: study.seeds: [0, 1, 2] -> [0, 1, 2, 3]",
    ("serving.md", "tlx export", 1): "registered as digits",
    ("serving.md", "tlx export", 2): "it contains the network alone, and reads:",
}


def theirs(said: Said, folder: Path) -> None:
    """Two runs of somebody else, under the names that the page gives them."""
    said("sweep", *TRIAL, "seed=0,1", "output=theirs", "--jobs", "1")
    runs = sorted(path.parent for path in (folder / "theirs").glob("*/result.json"))
    for place, name in zip(runs, ("ONE", "OTHER"), strict=True):
        place.rename(place.with_name(name))


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in FENCE.findall(page.read_text(encoding="utf-8")) if found == language]


def commands(page: Path) -> list[str]:
    return [line for block in blocks(page, "") for line in block.splitlines() if line]


@pytest.mark.slow
@pytest.mark.usefixtures("plugged")
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.long] if page.name in LONG else []) for page in PAGES],
    ids=lambda page: page.name,
)
def test_the_commands_of_a_page_run(said: Said, folder: Path, page: Path) -> None:
    if "theirs" in page.read_text(encoding="utf-8"):
        theirs(said, folder)
    for block in blocks(page, "yaml"):
        if named := re.search(r"^# (experiments/\w+\.yaml)$", block, re.MULTILINE):
            (folder / "experiments").mkdir(exist_ok=True)
            (folder / named[1]).write_text(block)
    runs: dict[str, int] = {}
    for line in commands(page):
        if not line.startswith("tlx "):
            line = line.replace("python ", f"{shlex.quote(sys.executable)} ", 1) if line.startswith("python ") else line
            subprocess.run(["bash", "-ec", line], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            continue
        words = [one for word in shlex.split(line)[1:] for one in sorted(glob.glob(word)) or [word]]  # as a shell does
        text = said(*words)
        verb = " ".join(line.split()[: 3 if line.split()[1] == "reuse" else 2])
        runs[verb] = runs.get(verb, 0) + 1
        assert SAYS.get((page.name, verb, runs[verb]), "") in text
    for script in blocks(page, "python"):
        subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def test_every_page_has_commands_and_is_linked() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert commands(page), page
        assert str(page.relative_to(DOCS)) in index


def test_links_between_pages_lead_somewhere() -> None:
    for page in DOCS.rglob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page, target)
