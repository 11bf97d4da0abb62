"""Verdicts that nothing fools: everything that can be altered or changed about a run, and what ``tlx reproduce`` says.

``pytest -m "long or not long" -s`` prints the table of docs/how-to/reproduce.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.components.conftest import PART
from tests.provenance.conftest import WORDS, train
from tests.provenance.record_cases import CASES, RecordCase
from tests.provenance.tampering import flip_bit, poison, reseal
from tlx.cli import main
from tlx.components import trust
from tlx.runs import layout
from tlx.training import network

DEEP = ["backbone=narrow_resnet", *WORDS[1:]]
Verdict = dict[str, Any]


@pytest.fixture
def judged(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Callable[..., Verdict]:
    """The verdict on a run, by this process or, with ``environment``, by another; a line of the table is printed."""

    def judge(done: str, run: Path, *words: str, environment: dict[str, str] | None = None) -> Verdict:
        capsys.readouterr()
        command = ["reproduce", str(run), "--json", *words]
        if environment is None:
            code, out = main(command), capsys.readouterr().out
        else:
            process = [sys.executable, "-m", "tlx", *command]
            told = subprocess.run(
                process, env={**os.environ, **environment}, capture_output=True, text=True, check=False
            )
            code, out = told.returncode, told.stdout
        (found,) = json.loads(out)
        assert code == (found["verdict"] in ("different", "altered"))
        differs = [row for row in found["checks"] if row["state"] == "differs"]
        found["differs"] = [f"{row['section']}: {row['item']}" for row in differs]
        with capsys.disabled():
            if request.config.option.capture == "no":
                reason = found["reason"] if len(found["reason"]) < 180 else f"{found['reason'][:177]}..."
                print(f"| {done} | {found['verdict']}: {reason} | {', '.join(found['differs'][:2])} |")
        return dict(found)

    return judge


@pytest.mark.parametrize(
    "case",
    [pytest.param(one, id=one.done, marks=() if one.cheap else pytest.mark.long) for one in CASES],
)
def test_an_altered_record(
    folder: Path, finished: tuple[Path, Path], judged: Callable[..., Verdict], case: RecordCase
) -> None:
    run = folder / "runs" / finished[0].name
    shutil.copytree(finished[0], run)
    case.alter(run, finished[1])
    found = judged(case.done, run)
    assert found["verdict"] in case.grades
    assert case.says in found["reason"]


pictures = pytest.mark.long


def images(root: Path, bright: int = 180) -> None:
    """A folder of images, a folder for each split and class."""
    for split, count in (("train", 8), ("val", 4), ("test", 4)):
        for kind, base in (("dark", 40), ("light", bright)):
            place = root / split / kind
            place.mkdir(parents=True)
            for i in range(count):
                Image.new("L", (32, 32), base + 5 * i).save(place / f"{i}.bmp")


PICTURES = ["dataset=imagefolder", "dataset.root=pictures", "dataset.name=pictures", "dataset.shots=null"]
PICTURES += ["strategy.batch_size=8"]
OF_IMAGES = [word for word in WORDS if not word.startswith(("dataset", "strategy.batch_size"))] + PICTURES


@pytest.mark.long
@pytest.mark.parametrize("setting", ["strategy.lr=0.5", "seed=2", "strategy.batch_size=8"])
def test_a_changed_setting(folder: Path, judged: Callable[..., Verdict], setting: str) -> None:
    """Other seeds beside it are no noise of this one."""
    run = train(*DEEP)
    for seed in (1, 2, 3):
        train(*DEEP, f"seed={seed}")
    found = judged(f"changed: {setting}", run, setting)
    assert found["verdict"] == "different"
    assert f"settings were changed: {setting.partition('=')[0]} " in found["reason"]
    assert found["differs"][0] == f"config: {setting.partition('=')[0]}"


@pytest.mark.long
def test_other_threads_outside_of_the_repository(
    folder: Path, judged: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(*DEEP).absolute()
    reseal(run / layout.MANIFEST, lambda row: row["code"].update(project={"commit": "0" * 40, "untracked": {}}))
    reseal(
        run / layout.RESULT, lambda row: row["files"].update({layout.MANIFEST: (run / layout.MANIFEST).stat().st_size})
    )
    found = judged("hardware.threads=2, outside of the project's repository", run, "hardware.threads=2")
    assert found["verdict"] != "within noise"
    assert found["differs"][0] == "flags: threads"


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DNNL_MAX_CPU_ISA", "SSE41"),
        ("ATEN_CPU_CAPABILITY", "default"),
        ("OMP_SCHEDULE", "dynamic"),
        ("MKL_CBWR", "COMPATIBLE"),
    ],
)
def test_environment_variables(folder: Path, judged: Callable[..., Verdict], name: str, value: str) -> None:
    """The frozen part of this run is kept, but not read; that numbers are others is then seen, and why."""
    run = train(*DEEP, "reuse.when=always")
    found = judged(f"{name}={value}", run, environment={name: value})
    assert f"variables: {name}" in found["differs"]
    assert found["differs"][0].startswith(("flags", "variables"))
    assert found["verdict"] != "within noise"
    isa = torch.backends.cpu.get_cpu_capability()
    if name == "DNNL_MAX_CPU_ISA" and isa.startswith("AVX"):  # else it changes nothing here
        assert found["verdict"] != "bitwise"


@pytest.mark.long
def test_a_poisoned_feature_cache(folder: Path, judged: Callable[..., Verdict]) -> None:
    store = ["reuse.when=always", "reuse.folder=store"]
    train(*DEEP, *store)
    assert poison(folder / "store") > 0
    run = train(*DEEP, *store, "strategy.lr=0.02")  # reads what the first one kept
    found = judged("feature cache poisoned before the run", run)
    assert found["verdict"] == "different"
    assert "the old run read kept features" in found["reason"]
    found = judged("the same, with --with-cache", run, "--with-cache")
    assert found["verdict"] == "bitwise"
    assert found["reason"].endswith(f"with the feature cache of {folder / 'store'}")


@pytest.mark.long
def test_edited_data(folder: Path, judged: Callable[..., Verdict]) -> None:
    images(folder / "pictures")
    run = train(*OF_IMAGES)
    flip_bit(folder / "pictures/train/light/0.bmp", -1)
    os.utime(folder / "pictures/train/light/0.bmp")
    found = judged("data: a bit", run)
    assert found["verdict"] != "within noise"
    assert found["differs"][0] == "data: data"
    assert "it was made of something else: data " in found["reason"]


@pytest.mark.long
def test_edited_data_with_size_and_time_kept(folder: Path, judged: Callable[..., Verdict]) -> None:
    images(folder / "pictures")
    run = train(*OF_IMAGES)
    for path in (folder / "pictures/train/light").iterdir():
        for at in range(-900, -1):
            flip_bit(path, at)
    found = judged("data: content, size and time of change kept", run)
    assert found["differs"][0] == "data: data"


@pytest.mark.long
def test_a_link_that_leads_elsewhere(folder: Path, judged: Callable[..., Verdict]) -> None:
    images(folder / "one")
    images(folder / "other", bright=60)
    for split in ("train", "val", "test"):
        (folder / "pictures" / split).mkdir(parents=True)
        for kind in ("dark", "light"):
            (folder / "pictures" / split / kind).symlink_to(folder / "one" / split / kind)
    run = train(*OF_IMAGES)
    for split in ("train", "val", "test"):
        link = folder / "pictures" / split / "light"
        link.unlink()
        link.symlink_to(folder / "other" / split / "light")
    found = judged("data: links lead elsewhere", run)
    assert found["differs"][0] == "data: data"


BEGINS = [*DEEP[:-1], "hardware.threads=1", "strategy.init=pretrained"]


@pytest.mark.long
def test_weights_from_a_file_that_was_replaced(folder: Path, judged: Callable[..., Verdict]) -> None:
    source = train(*DEEP, "strategy=fine_tune", "strategy.init=scratch", output="source")
    tensors = load_file(source / layout.CHECKPOINT)
    base = {name.removeprefix("backbone."): one for name, one in tensors.items() if name.startswith("backbone.")}
    save_file(base, folder / "base.safetensors")
    run = train(*BEGINS, "backbone.weights=base.safetensors")
    save_file({name: one * 2 if one.is_floating_point() else one for name, one in base.items()}, "base.safetensors")
    found = judged("weights: the file replaced", run)
    assert found["verdict"] == "different"
    assert found["differs"][0] == "weights: weights"


@pytest.mark.long
def test_a_named_run_that_was_trained_anew(folder: Path, judged: Callable[..., Verdict]) -> None:
    source = train(*DEEP, "strategy=fine_tune", "strategy.init=scratch", output="source").rename("source/first")
    run = train(*BEGINS, "backbone.weights='run:source/first'")
    shutil.rmtree(source)
    train(*DEEP, "strategy=fine_tune", "strategy.init=scratch", "seed=5", output="source").rename("source/first")
    found = judged("weights: the run they are of, trained anew", run)
    assert found["verdict"] != "within noise"
    assert found["differs"][0] == "weights: weights"


SOURCE = """
# @package _global_
defaults:
  - override /backbone: narrow_resnet
  - override /strategy: scratch
  - override /dataset: digits
strategy: {budget: 9 steps, batch_size: 16, keep: last}
dataset: {shots: 4}
hardware: {threads: 1}
tracking: {kind: none}
"""


@pytest.mark.long
def test_a_trial_that_was_trained_anew(
    folder: Path, judged: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its identity is the same, its bits are not: as another machine, which rounds otherwise, would give them."""
    (folder / "experiments").mkdir()
    (folder / "experiments" / "base.yaml").write_text(SOURCE)
    source = train("experiment=base")
    run = train(*BEGINS, "backbone.weights='trial:base'")
    tensors = load_file(source / layout.CHECKPOINT)
    shutil.rmtree(source)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(network, "_STATES", {})
        elsewhere.setattr(network, "seed_everything", lambda seed: torch.manual_seed(seed + 1))
        assert train("experiment=base") == source
    assert not all(torch.equal(one, tensors[name]) for name, one in load_file(source / layout.CHECKPOINT).items())
    found = judged("weights: the trial they are of, trained anew", run)
    assert found["differs"][0] == "weights: weights_content"


@pytest.mark.long
def test_a_plugin_that_was_edited(
    folder: Path, judged: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch, plugged: None
) -> None:
    monkeypatch.setenv(trust.VARIABLE, "1")
    (folder / "pyproject.toml").write_text('[tool.tlx]\nplugins = ["counting"]\n')
    (folder / "counting.py").write_text(PART.replace("NAME", "counting"))
    run = train(*WORDS, "callbacks.counting={}")
    (folder / "counting.py").write_text(PART.replace("NAME", "counting") + "# a line\n")
    found = judged("code: a line of a plugin", run, environment={})
    assert found["verdict"] == "bitwise"  # a comment, as it is
    assert "it was made of something else: code: counting" in found["reason"]
    assert found["differs"][0].startswith("code: counting")


def forge(value: float, row: dict[str, Any]) -> None:
    row["metrics"]["test/acc"] = value


@pytest.mark.long
def test_a_spread_that_was_made_wide(folder: Path, judged: Callable[..., Verdict]) -> None:
    """Repetitions count as they were written, and of the same trial alone."""
    run = train(*DEEP)
    for number in range(3):
        judged("(once more)", run)
        again = run.parent / "reproduced" / f"{run.name}-{number + 1}"
        reseal(again / layout.RESULT, partial(forge, number / 2))
    for seed in (1, 2, 3):
        judged("(another seed)", run, f"seed={seed}")
    found = judged("repetitions edited, others of other seeds", run, "strategy.lr=0.02")
    assert found["verdict"] == "different"
    found = judged("two threads, beside repetitions that were edited", run, "hardware.threads=2")
    assert found["verdict"] != "within noise"
