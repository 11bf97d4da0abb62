"""Its trials where other processes run them, and where nothing is there but two wheels: the numbers are the same."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from pathlib import Path

import pytest

from tests.examples.own_parts import WORDS, Project

ROOT = Path(__file__).parents[2]
SWEEP = [
    "sweep",
    *WORDS,
    "hardware.threads=1",
    "strategy=fine_tune",
    "strategy.init=scratch",
    "seed=0,1",
    "callbacks.drift={}",
]
SBATCH = """#!/bin/bash
for script; do :; done  # the last word
cd "$(sed -n 's/^#SBATCH --chdir=//p' "$script")"
for task in 0 1; do
    export SLURM_JOB_ID=7 SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task
    setsid bash "$script" > task$task.log 2>&1 < /dev/null &
done
echo 7
"""


@pytest.mark.long
def test_ray_gives_the_numbers_of_local_processes(project: Project) -> None:
    pytest.importorskip("ray")
    project.environment |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    project.tlx(*SWEEP, "output=here")
    project.tlx(*SWEEP, "hydra/launcher=ray", "hydra.launcher.address=local")
    assert len(project.outcomes()) == 2
    assert project.outcomes() == project.outcomes("here")


@pytest.mark.long
def test_tasks_of_slurm_find_the_parts(project: Project) -> None:
    """A stand-in for Slurm runs the job script as it was written, in a shell whose user has trusted nothing."""
    place = project.folder / "bin"
    place.mkdir()
    for name, text in {"sbatch": SBATCH, "srun": '#!/bin/sh\nexec "$@"\n', "squeue": "#!/bin/sh\n"}.items():
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    project.tlx(*SWEEP, "output=here")
    path = f"{place}:{os.environ['PATH']}"
    project.tlx(*SWEEP, "hydra/launcher=slurm", PATH=path)
    deadline = time.monotonic() + 300
    while len(project.outcomes()) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    logs = [path.read_text() for path in project.folder.glob("task*.log")]
    assert project.outcomes() == project.outcomes("here"), logs


@pytest.mark.long
def test_two_wheels_are_all_it_needs(project: Project, folder: Path) -> None:
    """No checkout on the path, no project around, and nothing to be trusted: an installed package is."""
    python = _installed(folder, ROOT, project.folder)
    project.tlx(*SWEEP)
    empty = folder / "empty"
    empty.mkdir()

    def run(*words: str) -> str:
        more = {**os.environ, "XDG_CONFIG_HOME": str(folder / "nobody")}
        done = subprocess.run([python, *words], cwd=empty, env=more, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    places = run("-c", "import tlx, progression; print(tlx.__file__, progression.__file__)").split()
    assert all(Path(place).is_relative_to(folder / "env") for place in places)
    assert "progression.parts  (progression 1.0)" in run("-m", "tlx", "plugins", "ls")
    run("-m", "progression.make")
    run("-m", "tlx", *SWEEP)
    project.folder = empty
    there = project.outcomes()
    project.folder = folder / "project"
    assert there == project.outcomes()  # the same identities, too


def _installed(folder: Path, *sources: Path) -> Path:
    """The Python of a new environment that holds wheels of these folders; dependencies are those of this one."""
    venv.create(folder / "env", with_pip=False, symlinks=True)
    python = folder / "env" / "bin" / "python"
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip())
    for number, source in enumerate(sources):
        copy, out = folder / f"source{number}", folder / f"wheel{number}"
        _copy(source, copy)
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)]
        subprocess.run(command, check=True, capture_output=True)
        zipfile.ZipFile(next(out.glob("*.whl"))).extractall(site)
    dependencies = {sysconfig.get_path("purelib"), *_further()}
    (site / "dependencies.pth").write_text("".join(f"{path}\n" for path in sorted(dependencies)))
    return python


def _copy(source: Path, copy: Path) -> None:
    """Copy what is, or is about to be, under version control."""
    command = (
        ["git", "ls-files", "-co", "--exclude-standard"] if (source / ".git").exists() else ["find", ".", "-type", "f"]
    )
    for name in subprocess.run(command, cwd=source, capture_output=True, text=True, check=True).stdout.splitlines():
        if (source / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((source / name).read_bytes())


def _further() -> list[str]:
    """Folders of packages that this environment has by a line of a .pth file."""
    site = Path(sysconfig.get_path("purelib"))
    lines = [line for file in site.glob("*.pth") for line in file.read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("import") and Path(line).is_dir()]
