"""Trials as tasks of a Ray cluster: the numbers of the local launcher, whatever happens to a worker."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tlx
from tests.conftest import Said
from tlx.config.errors import ConfigError
from tlx.config.machine import elsewhere
from tlx.orchestration.backends.launchers import Ray, choose
from tlx.orchestration.backends.ray import resources
from tlx.runs.lock import owner

ray = pytest.importorskip("ray")
WORDS = ["backbone=narrow_resnet", "dataset=digits", "dataset.shots=4", "tracking=none", "checkpoint.every_minutes=0"]
WORDS += ["strategy.batch_size=16", "strategy.budget=12 steps", "strategy.validate_every=3 steps"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster of two CPUs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # else a token is written to the user's home
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # else, at 15, they starve beside other tests
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        try:
            yield str(ray.get_runtime_context().gcs_address)
        finally:
            ray.shutdown()


def begin(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tlx", "sweep", *WORDS, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str], code: int = 0) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, out + err
    return out + err


def metrics(root: Path) -> dict[str, dict[str, float]]:
    found = [json.loads(path.read_text()) for path in root.glob("*/result.json")]
    return {one["identity"]: one["metrics"] for one in found}


@pytest.mark.long
def test_the_numbers_are_the_local_launchers(folder: Path, address: str, said: Said) -> None:
    """On one device and on two; once more, nothing runs."""
    words = ["strategy=fine_tune", "hardware.devices=1,2"]
    ours = ["hydra/launcher=ray", f"hydra.launcher.address={address}"]
    end(begin(*words, *ours))
    said("sweep", *WORDS, *words, "output=here")
    assert len(metrics(folder / "runs")) == 2
    assert metrics(folder / "runs") == metrics(folder / "here")
    assert "0 trials run, 2 already finished" in said("sweep", *WORDS, *words)


@pytest.mark.long
def test_a_killed_worker_is_one_failed_trial_that_goes_on(folder: Path, address: str, said: Said) -> None:
    words = ["strategy=fine_tune", "strategy.budget=60 steps", "seed=0,1"]
    process = begin(*words, "hydra/launcher=ray", f"hydra.launcher.address={address}")
    os.kill(_worker(folder / "runs", process), signal.SIGKILL)
    out = end(process, 1)
    assert out.count("failed: ") == 1
    assert "killed by signal 9" in out
    assert "1 trials run, 1 already finished" in said("sweep", *WORDS, *words)
    said("sweep", *WORDS, *words, "output=here")
    assert metrics(folder / "runs") == metrics(folder / "here")


def _worker(root: Path, process: subprocess.Popen[str]) -> int:
    """The process of the first trial that has saved its state."""
    for _ in range(2400):
        assert process.poll() is None, process.communicate()
        for path in root.glob("narrow*/events.jsonl"):
            if "metrics" in path.read_text():
                return int(owner(path.parent).split()[1])
        time.sleep(0.1)
    raise AssertionError("nothing began")


def test_what_a_trial_takes_of_the_cluster(folder: Path) -> None:
    options = Ray(cpus=3, resources={"fast_disk": 1})
    base = ["backbone=narrow_resnet", "strategy=scratch", "dataset=digits"]
    with elsewhere("ray"):
        alone = tlx.compose(base)
        wide = tlx.compose([*base, "hardware=gpu", "hardware.devices=4"])
        with pytest.raises(ConfigError, match=r"hardware\.nodes.*Slurm's"):
            tlx.compose([*base, "hardware.nodes=2"])
    assert resources(alone, options) == {"CPU": 3, "fast_disk": 1}
    assert resources(wide, options) == {"CPU": 12, "GPU": 4, "fast_disk": 1}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["hydra.launcher.cpus=0"], "hydra.launcher.cpus"),
        (["hydra.launcher.partition=gpu"], "hydra.launcher.partition"),
        (["hydra.launcher.resources=3"], "hydra.launcher.resources"),
    ],
)
def test_its_options_are_checked(words: list[str], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        choose(["hydra/launcher=ray", *words])


@pytest.mark.slow
def test_no_cluster_at_the_address_is_refused(folder: Path) -> None:
    words = ["strategy=fine_tune", "hydra/launcher=ray", "hydra.launcher.address=127.0.0.1:1"]
    assert "hydra.launcher.address" in end(begin(*words), 2)
    assert not list(folder.glob("runs/*/result.json"))
