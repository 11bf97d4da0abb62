"""Hydra's own suites for launchers, and what they leave out: jobs that die, and jobs that take too long."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hydra.core.singleton import Singleton
from hydra.test_utils.launcher_common_tests import BatchedSweeperTestSuite, IntegrationTestSuite, LauncherTestSuite
from hydra.test_utils.test_utils import TSweepRunner
from hydra.types import TaskFunction
from hydra.version import VersionBase
from omegaconf import DictConfig

from tlx.orchestration.backends import plugin

WRAPPER = (
    "import runpy, sys; from tlx.orchestration.backends import plugin; plugin.register(); sys.argv = sys.argv[1:]; "
    "sys.path.insert(0, ''); runpy.run_path(sys.argv[0], run_name='__main__')"
)


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    """The launcher, in a Hydra that no test before has told which version to behave as."""
    before = Singleton._instances.pop(VersionBase, None)
    plugin.register()
    yield
    if before is not None:
        Singleton._instances[VersionBase] = before


@pytest.mark.slow
@pytest.mark.parametrize(("launcher_name", "overrides"), [("local", []), ("local", ["hydra.launcher.n_jobs=2"])])
class TestLauncher(LauncherTestSuite):
    """Hydra's suite."""


@pytest.mark.slow
@pytest.mark.parametrize(("launcher_name", "overrides"), [("local", ["hydra.sweeper.max_batch_size=2"])])
class TestBatches(BatchedSweeperTestSuite):
    """Hydra's suite."""


@pytest.mark.slow
@pytest.mark.parametrize(("task_launcher_cfg", "extra_flags"), [({}, ["-m", "hydra/launcher=local"])], ids=["local"])
class TestIntegration(IntegrationTestSuite):
    """Hydra's suite, by a program that registers the launcher first."""

    def generate_custom_cmd(self) -> Callable[..., list[str]]:
        def command(cmd: list[str], filename: str) -> list[str]:
            at = next(i for i, word in enumerate(cmd) if word.endswith(filename))
            return [sys.executable, "-c", WRAPPER, *cmd[at:]]

        return command


def _dies(config: DictConfig) -> None:
    if config.foo == 1:
        os.kill(os.getpid(), 9)
    Path(str(config.out), str(config.foo)).touch()


def _lingers(config: DictConfig) -> None:
    time.sleep(60 if config.foo == 1 else 0)
    Path(str(config.out), str(config.foo)).touch()


@pytest.mark.long
@pytest.mark.parametrize(
    ("function", "more", "reason"),
    [(_dies, [], "was killed by signal 9"), (_lingers, ["hydra.launcher.timeout=0.5"], "took too long")],
)
def test_a_job_that_breaks_is_one_failed_job(
    function: TaskFunction, more: list[str], reason: str, hydra_sweep_runner: TSweepRunner, tmp_path: Path
) -> None:
    """The others are done; Hydra then raises what the first failed one has for a result."""
    words = ["hydra/launcher=local", f"hydra.sweep.dir={tmp_path / 'jobs'}", "hydra.launcher.n_jobs=3", *more]
    sweep = hydra_sweep_runner(
        calling_file=None,
        calling_module="hydra.test_utils.a_module",
        task_function=function,
        config_path=None,
        config_name=None,
        overrides=[*words, f"+out={tmp_path}", "+foo=0,1,2"],
    )
    with pytest.raises(RuntimeError, match=f"job 1 ended without a result: {reason}"), sweep:
        raise AssertionError("not reached")
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"0", "2"}
