"""Sweeps on Slurm: the job scripts, what is read of the queue, preemption; and a real cluster, where there is one."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tlx import compose
from tlx.config.errors import ConfigError
from tlx.config.machine import elsewhere
from tlx.orchestration import sweep as sweeps
from tlx.orchestration.backends import launchers, slurm
from tlx.orchestration.backends.launchers import Local, Slurm
from tlx.orchestration.jobs import Job
from tlx.runs import signals
from tlx.runs.lock import locked

ROOT = Path(__file__).parents[2]
WORDS = ["backbone=narrow_resnet", "strategy=fine_tune", "dataset=digits", "dataset.shots=4", "hardware=cpu"]
WORDS += ["strategy.batch_size=16", "strategy.validate_every=5 steps", "hardware.threads=1"]


def jobs(*words: str) -> list[Job]:
    with elsewhere("slurm"):
        return [sweeps.job(trial) for trial in sweeps.plan([*WORDS, *words])]


def tlx(*words: str, code: int = 0) -> str:
    done = subprocess.run([sys.executable, "-m", "tlx", *words], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_script_is_the_one_expected(folder: Path) -> None:
    options = Slurm(partition="gpu", time="2:00:00", throttle=4, extra=["--mail-type=FAIL"], setup=["module load cuda"])
    (group,) = slurm.kinds(jobs("seed=0,1,2", "hardware=gpu"))
    assert slurm.script("study", folder / "1", group, options).splitlines() == [
        "#!/bin/bash",
        "#SBATCH --job-name=tlx-study",
        "#SBATCH --array=0-2%4",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks-per-node=1",
        "#SBATCH --cpus-per-task=1",
        "#SBATCH --gpus-per-node=1",
        "#SBATCH --partition=gpu",
        "#SBATCH --time=2:00:00",
        "#SBATCH --signal=USR1@120",
        f"#SBATCH --chdir={folder}",
        f"#SBATCH --output={folder}/1/%a.txt",
        "#SBATCH --open-mode=append",
        "#SBATCH --requeue",
        "#SBATCH --mail-type=FAIL",
        "set -e",
        "module load cuda",
        f"exec srun {sys.executable} -P -m tlx.orchestration.backends.slurm_task {folder}/1/tasks.jsonl "
        '"$SLURM_ARRAY_TASK_ID" 120',
    ]


def test_an_array_is_of_one_kind_of_hardware() -> None:
    """Trials on two nodes of four devices are another array; heads that share a backbone are one task."""
    alone, wide = jobs("seed=0,1"), jobs("hardware.nodes=2", "hardware.devices=4", "seed=0,1")
    heads = jobs("strategy=feature_extraction", "strategy.lr=1e-3,1e-2", "seed=0", "backbone=resnet18")
    groups = slurm.kinds([*alone, *wide, *heads])
    assert sorted(sorted(len(task) for task in group) for group in groups) == [[1, 1], [1, 1, 2]]
    text = slurm.script("wide", Path("w"), next(g for g in groups if g[0][0] in wide), Slurm())
    assert "--nodes=2\n" in text
    assert "--ntasks-per-node=4\n" in text


def test_several_machines_are_for_slurm() -> None:
    with pytest.raises(ConfigError, match="hydra/launcher=slurm"):
        compose([*WORDS, "hardware.nodes=2"])


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("hydra/launcher=slrum", "did you mean slurm"),
        ("hydra/launcher=joblib", "one killed trial ends the whole sweep"),
        ("hydra/launcher=submitit_slurm", "waits for ever"),
        ("hydra.launcher.n_jobs=0", "expected 1 or more"),
        ("hydra.launcher.n_job=2", "did you mean hydra.launcher.n_jobs"),
        ("hydra.launcher.n_jobs=two", "expected a whole number"),
    ],
)
def test_a_wrong_launcher_is_refused(word: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        launchers.choose([word])


def test_a_launcher_is_local_unless_said() -> None:
    words, own = launchers.split(["seed=0,1", "hydra/launcher=slurm", "hydra.launcher.throttle=2"])
    assert words == ["seed=0,1"]
    assert launchers.choose(own) == Slurm(throttle=2)
    assert launchers.choose([]) == Local()


def _command(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command of Slurm that does what ``script`` says."""
    place = folder / "bin"
    place.mkdir(exist_ok=True)
    (place / name).write_text(f"#!/bin/sh\n{script}\n")
    (place / name).chmod(0o755)
    if str(place) not in os.environ["PATH"]:
        monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")


def test_what_is_queued_is_not_submitted_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _command(folder, "sbatch", f"echo $* >> {folder}/calls; echo 7", monkeypatch)
    _command(folder, "squeue", "echo '7 0 RUNNING'; echo '7 1 PENDING'; echo '9 0 RUNNING'", monkeypatch)
    three = jobs("seed=0,1,2")
    assert slurm.submit("s", folder / "s", three, Slurm()) == ["7"]
    names = [job.place.path.name for job in three]
    assert dict(slurm.queue(folder / "s")) == {names[0]: "7_0 RUNNING", names[1]: "7_1 PENDING"}
    assert slurm.submit("s", folder / "s", three, Slurm()) == ["7"]
    again = (folder / "s" / "slurm" / "2" / "tasks.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in again] == [[str(three[2].place.path)]]


def test_a_cluster_that_refuses_or_is_not_there_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _command(folder, "sbatch", "echo 'sbatch: error: invalid partition' >&2; exit 1", monkeypatch)
    with pytest.raises(ConfigError, match="invalid partition"):
        slurm.submit("s", folder / "s", jobs("seed=0"), Slurm())
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ConfigError, match="not on this machine"):
        slurm.submit("s", folder / "s", jobs("seed=0"), Slurm())


AWAY = "slurm_update error: Unable to contact slurm controller"


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_controller_that_is_away_for_a_while_is_asked_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], comes_back: bool
) -> None:
    calls = folder / "calls"
    script = f"echo $* >> {calls}; [ $(wc -l < {calls}) -ge 2 ] || {{ echo '{AWAY}' >&2; exit 1; }}"
    _command(
        folder, "scontrol", script if comes_back else f"echo $* >> {calls}; echo '{AWAY}' >&2; exit 1", monkeypatch
    )
    monkeypatch.setattr("tlx.runs.signals._PATIENCE", 30 if comes_back else 2)
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    with pytest.raises(signals.Preempted):
        signals.requeue_and_exit()
    said = capsys.readouterr().out
    if comes_back:
        assert calls.read_text().splitlines() == ["requeue 8"] * 2
        assert said == "tlx: asked to make room; job 8 is queued again\n"
    else:
        assert len(calls.read_text().splitlines()) >= 2
        assert said == f"tlx: asked to make room, but not queued again ({AWAY}); submit the sweep again\n"


@pytest.mark.slow
def test_a_signal_during_imports_queues_the_job_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _command(folder, "scontrol", f"echo $* >> {folder}/calls", monkeypatch)
    (job,) = jobs("seed=0")
    _command(folder, "sbatch", "echo 7", monkeypatch)
    slurm.submit("s", folder / "s", [job], Slurm())
    tasks = folder / "s" / "slurm" / "1" / "tasks.jsonl"
    for name, value in {"SLURM_JOB_ID": "8", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "0"}.items():
        monkeypatch.setenv(name, value)
    process = subprocess.Popen(
        [sys.executable, "-m", "tlx.orchestration.backends.slurm_task", str(tasks), "0", "60"], stdout=subprocess.PIPE
    )
    for _ in range(600):
        caught = re.search(r"SigCgt:\s*([0-9a-f]+)", Path(f"/proc/{process.pid}/status").read_text())
        if caught and int(caught.group(1), 16) >> (signal.SIGUSR1 - 1) & 1:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGUSR1)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert (folder / "calls").read_text().split() == ["requeue", "7_0"]
    assert job.place.result() is None


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Slurm of this machine."""
    if not shutil.which("slurmctld", path="/usr/sbin:/usr/bin") or os.geteuid() != 0:
        pytest.skip("no Slurm here: as root, scripts/slurm_local install")
    before = dict(os.environ)
    os.environ["TLX_SLURM_DIR"] = str(tmp_path_factory.mktemp("slurm"))
    script = str(ROOT / "scripts" / "slurm_local")
    with locked(
        Path(tempfile.gettempdir()) / "tlx-slurm-tests", "the test cluster", patience=1200
    ):  # its ports are fixed
        up = subprocess.run([script, "up"], capture_output=True, text=True, check=False)
        assert up.returncode == 0, up.stderr
        os.environ["SLURM_CONF"] = up.stdout.strip().partition("=")[2]
        yield
        subprocess.run([script, "down"], check=True, capture_output=True)
    os.environ.clear()
    os.environ.update(before)


def _queue() -> list[str]:
    done = subprocess.run(["squeue", "-h", "-r", "-o", "%F_%K %T %r"], capture_output=True, text=True, timeout=60)
    return done.stdout.splitlines()


def _drain(limit: float = 400) -> None:
    """Wait for the queue to be empty; jobs that were queued again need not wait their two minutes."""
    deadline = time.monotonic() + limit
    while (lines := _queue()) and time.monotonic() < deadline:
        for line in lines:
            if "BeginTime" in line:
                subprocess.run(["scontrol", "update", f"jobid={line.split()[0]}", "StartTime=now"], check=False)
        time.sleep(0.5)
    assert not lines


@pytest.mark.long
@pytest.mark.slurm
def test_an_array_survives_what_clusters_do(cluster: None, folder: Path) -> None:
    """One task killed, one asked to make room, the controller restarted: the numbers are those of a local sweep."""
    words = [*WORDS, "strategy.budget=60 steps", "seed=0,1,2,3,4,5,6,7", "tracking=none"]
    tlx("sweep", *words, "output=here")
    said = tlx("sweep", *words, "output=there", "hydra/launcher=slurm", "hydra.launcher.warning=60")
    assert "8 open" in said
    root = folder / "there"
    victims: list[str] = []
    for _ in range(12_000):  # on a busy machine trials begin late
        begun = [path.parent for path in root.glob("narrow*/events.jsonl") if '"train/loss"' in path.read_text()]
        begun = [place for place in begun if not (place / "result.json").is_file() and place.name not in victims]
        if begun:
            owner = (begun[0] / "lock").read_text()
            pid = int(re.findall(r"process (\d+)", owner)[0])
            os.kill(pid, signal.SIGUSR1 if victims else signal.SIGKILL)
            victims.append(begun[0].name)
        if len(victims) == 2:
            break
        time.sleep(0.1)
    assert len(victims) == 2
    subprocess.run([str(ROOT / "scripts" / "slurm_local"), "restart"], check=True, capture_output=True)
    _drain()
    status = tlx("status", "sweep", "output=there")
    assert "7 done" in status, status
    assert (root / victims[1] / "result.json").is_file()  # it was queued again by itself
    assert "interrupted" in status
    assert "1 open" in tlx("sweep", *words, "output=there", "hydra/launcher=slurm")
    _drain()
    table = tlx("sweep", *words, "output=there", "hydra/launcher=slurm")
    assert "0 trials run, 8 already finished" in table
    assert _metrics(root) == _metrics(folder / "here")


def _metrics(root: Path) -> dict[str, dict[str, float]]:
    found = [json.loads(path.read_text()) for path in root.glob("narrow*/result.json")]
    return {one["name"]: one["metrics"] for one in found}


@pytest.mark.long
@pytest.mark.slurm
def test_ranks_of_a_task_are_one_trial(cluster: None, folder: Path) -> None:
    """Two nodes of one process each: one event log, half of the examples each, as two processes of one machine."""
    words = [*WORDS, "strategy.budget=10 steps", "tracking=none", "seed=0"]
    tlx("train", *words, "hardware.devices=2", "output=here")
    os.environ["MASTER_ADDR"] = "127.0.0.1"  # the nodes are names of one host
    tlx("sweep", *words, "hardware.nodes=2", "output=there", "hydra/launcher=slurm")
    _drain()
    (ours,) = _metrics(folder / "there").values()
    (theirs,) = _metrics(folder / "here").values()
    assert ours == pytest.approx(theirs, abs=1e-6)
    (result,) = folder.glob("there/narrow*/result.json")
    assert "2 processes on 2 nodes" in json.loads(result.read_text())["facts"]["hardware"]
