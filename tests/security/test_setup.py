"""``scripts/setup`` ends well however it is begun, ended or disturbed, and takes nothing without a hash.

The script is the real one, in a small checkout of its own; pip, uv and ``python -m venv`` are stand-ins that need no
network: they note each call, and write some files, slowly enough to be killed half-way.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = 8  # that the stand-in for `uv pip install` writes
STAMP = ".venv/.tlx-installed"

PYPROJECT = """
[project]
name = "tlx"
dependencies = ["torch>=1"]
[tool.setuptools.package-dir]
"tlx" = "tlx"
[tool.ruff]
line-length = 120
"""
LOCK = """\
torch==1 \\
    --hash=sha256:11
    # via tlx
uv==2 \\
    --hash=sha256:22 \\
    --hash=sha256:33
    # via tlx
uvicorn==3 \\
    --hash=sha256:44
"""
REAL = os.path.realpath(sys.executable)
TOOL = f"""#!/usr/bin/env bash
name=${{0##*/}}
for last; do :; done
case "$name $1" in *" -" | *" -c" | *" --version") exec "{REAL}" "$@" ;; esac
echo "$name $*" >> calls
n=0
while read -r _; do n=$((n + 1)); done < calls
[ "$n" != "${{KILL_AT:-}}" ] || kill -9 0
[ "$n" != "${{FAIL_AT:-}}" ] || {{ echo "no space left" >&2; exit 2; }}
case "$name $*" in
    "python -m venv "*) mkdir -p "$last/bin" && cp "$0" "$last/bin/python" ;;
    "python -m pip "*) cp "$last" asked && cp "$0" "${{0%/*}}/uv" ;;
    "uv venv "*) mkdir -p "$last/bin" "$last/lib/python3/site-packages" && ln -s "{REAL}" "$last/bin/python" ;;
    *)
        while [ "$1" != --python ]; do shift; done
        for n in $(seq {FILES}); do
            mkdir -p "$2/lib/python3/site-packages/part$n-1.dist-info"
            sleep 0.01
        done
        ;;
esac
"""


class Checkout:
    """A folder with the real script and stand-ins for all that it calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        (self.folder / "scripts").mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "setup", self.folder / "scripts" / "setup")
        (self.folder / "pyproject.toml").write_text(PYPROJECT)
        (self.folder / "requirements.lock").write_text(LOCK)
        tools = folder / "tools"
        tools.mkdir()
        (tools / "python").write_text(TOOL)
        (tools / "sync").write_text("#!/bin/sh\n")  # the real one waits for all that the machine is writing
        for tool in tools.iterdir():
            tool.chmod(0o755)
        self.python = tools / "python"
        self.path = f"{tools}:{os.environ['PATH']}"
        self.others = {".venv.making.txt": "a", ".venv.mine/kept": "b", ".venvs/kept": "c", "notes": "d"}
        for name, text in self.others.items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(text)

    def begin(self, **environment: str) -> subprocess.Popen[str]:
        (self.folder / "calls").write_text("")
        said = {**os.environ, "PYTHON": str(self.python), "PATH": self.path, **environment}
        command = [str(self.folder / "scripts" / "setup")]
        out = subprocess.PIPE
        return subprocess.Popen(command, env=said, stdout=out, stderr=out, text=True, start_new_session=True)

    def run(self, code: int = 0, **environment: str) -> str:
        process = self.begin(**environment)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, out + err
        return out + err

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    def installed(self) -> list[Path]:
        return sorted((self.folder / ".venv").glob("lib/python3/site-packages/*"))

    def check(self) -> None:
        """``.venv`` is whole, nothing of a set-up is left beside it, and what is not a set-up's is as it was."""
        assert len(self.installed()) == FILES
        assert (self.folder / STAMP).read_text()
        assert not (self.folder / ".venv.making").exists()
        for name, text in self.others.items():
            assert (self.folder / name).read_text() == text

    def foreign(self) -> None:
        (self.folder / ".venv" / "bin").mkdir(parents=True)
        (self.folder / ".venv" / "bin" / "python").write_text("someone's")

    def outdated(self) -> None:
        """As a set-up made it, from another lock."""
        for n in range(1, FILES + 1):
            (self.folder / f".venv/lib/python3/site-packages/part{n}-1.dist-info").mkdir(parents=True)
        (self.folder / ".venv/bin").mkdir()
        (self.folder / ".venv/bin/python").symlink_to(REAL)
        (self.folder / STAMP).write_text("1 2\n")


@pytest.fixture
def checkout(folder: Path) -> Checkout:
    return Checkout(folder)


def test_it_makes_the_environment_once(checkout: Checkout) -> None:
    assert "setting up .venv" in checkout.run()
    checkout.check()
    assert len(checkout.calls()) == 5
    assert checkout.run() == ""
    assert checkout.calls() == []


def test_all_that_is_downloaded_has_a_hash(checkout: Checkout) -> None:
    checkout.run()
    downloads = [
        call for call in checkout.calls() if "install" in call and "--no-deps --no-build-isolation" not in call
    ]
    assert len(downloads) == 2
    assert all("--require-hashes" in call for call in downloads)
    assert "--build-constraints requirements.lock" in downloads[1]  # for what a package is built with
    asked = (checkout.folder / "asked").read_text()
    assert asked == LOCK[LOCK.index("uv==") : LOCK.index("uvicorn")]


@pytest.mark.parametrize(
    ("before", "call"), [("foreign", 1), ("outdated", 2), ("nothing", 3), ("foreign", 4), ("outdated", 5)]
)
def test_killed_at_a_step_it_heals(checkout: Checkout, before: str, call: int) -> None:
    {"nothing": lambda: None, "outdated": checkout.outdated, "foreign": checkout.foreign}[before]()
    checkout.run(code=-signal.SIGKILL, KILL_AT=str(call))
    assert (checkout.folder / ".venv.making").exists()
    assert (checkout.folder / ".venv").exists() == (before != "nothing")
    checkout.run()
    checkout.check()
    moved = checkout.folder / ".venv.before.1" / "bin" / "python"
    assert not moved.exists() if before != "foreign" else moved.read_text() == "someone's"


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_moment_it_heals(checkout: Checkout, seed: int) -> None:
    checkout.foreign()
    process = checkout.begin()
    time.sleep(random.Random(seed).uniform(0, 0.5))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    checkout.run()
    checkout.check()
    assert (checkout.folder / ".venv.before.1" / "bin" / "python").read_text() == "someone's"


@pytest.mark.parametrize("moved", [False, True])
def test_killed_just_before_the_end_it_only_has_to_be_renamed(checkout: Checkout, moved: bool) -> None:
    checkout.run()
    aside = checkout.folder / ".venv.making"
    aside.mkdir()
    (aside / ".tlx-making").touch()
    (checkout.folder / ".venv").rename(aside / "env")
    if moved:
        (aside / "old").mkdir()
    checkout.run()
    assert checkout.calls() == []
    checkout.check()


def test_killed_after_that_it_only_has_to_tidy_up(checkout: Checkout) -> None:
    checkout.run()
    (checkout.folder / ".venv.making" / "boot").mkdir(parents=True)
    (checkout.folder / ".venv.making" / ".tlx-making").touch()
    checkout.run()
    assert checkout.calls() == []
    checkout.check()


def test_the_folder_aside_of_someone_else_stays(checkout: Checkout) -> None:
    theirs = checkout.folder / ".venv.making" / "theirs"
    theirs.parent.mkdir()
    theirs.touch()
    assert ".venv.making is in the way" in checkout.run(code=1)
    assert theirs.exists()


@pytest.mark.parametrize("call", [1, 2, 3, 4, 5])
def test_what_fails_changes_nothing(checkout: Checkout, call: int) -> None:
    checkout.outdated()
    before = checkout.installed()
    said = checkout.run(code=2, FAIL_AT=str(call))
    assert "no space left" in said
    assert "the set-up failed, and changed nothing" in said
    assert checkout.installed() == before
    assert (checkout.folder / STAMP).read_text() == "1 2\n"
    assert not (checkout.folder / ".venv.making").exists()


def test_what_is_not_a_set_ups_is_moved_and_never_deleted(checkout: Checkout) -> None:
    for n in (1, 2):
        checkout.foreign()
        assert f"it is now .venv.before.{n}" in checkout.run()
        checkout.check()
        shutil.rmtree(checkout.folder / ".venv")
    for n in (1, 2):
        assert (checkout.folder / f".venv.before.{n}" / "bin" / "python").read_text() == "someone's"


def test_a_link_is_moved_and_what_it_leads_to_stays(checkout: Checkout, folder: Path) -> None:
    checkout.outdated()
    (checkout.folder / ".venv").rename(folder / "elsewhere")
    (checkout.folder / ".venv").symlink_to(folder / "elsewhere")
    checkout.run()
    checkout.check()
    assert (checkout.folder / ".venv.before.1").is_symlink()
    assert (folder / "elsewhere" / ".tlx-installed").exists()


def test_what_was_installed_by_hand_is_named(checkout: Checkout) -> None:
    checkout.outdated()
    site = checkout.folder / ".venv" / "lib" / "python3" / "site-packages"
    os.utime(checkout.folder / STAMP, (time.time() - 60,) * 2)
    for path in site.iterdir():
        os.utime(path, (time.time() - 90,) * 2)
    (site / "dropped_since-1.0.dist-info").mkdir()
    os.utime(site / "dropped_since-1.0.dist-info", (time.time() - 90,) * 2)
    (site / "by_hand-1.5.dist-info").mkdir()
    (site / "mine-2.dist-info").mkdir()
    (site / "mine-2.dist-info" / "direct_url.json").write_text('{"url": "file:///home/me/mine", "dir_info": {}}')
    (site / "Part1-0.9.dist-info").mkdir()
    assert ".venv/bin/python -m pip install by_hand==1.5 file:///home/me/mine\n" in checkout.run()
    checkout.check()


def test_only_what_decides_the_environment_makes_another(checkout: Checkout) -> None:
    checkout.run()
    project = checkout.folder / "pyproject.toml"
    project.write_text(PYPROJECT.replace("line-length = 120", "line-length = 100"))
    checkout.run()
    assert checkout.calls() == []
    project.write_text(PYPROJECT.replace("torch>=1", "torch>=1.1"))
    checkout.run()
    assert len(checkout.calls()) == 5
    (checkout.folder / "requirements.lock").write_text(LOCK.replace("44", "55"))
    checkout.run()
    assert len(checkout.calls()) == 5
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("renamed"))  # tlx is found by its folder
    checkout.run()
    assert len(checkout.calls()) == 5
    checkout.check()


def test_of_two_at_once_one_makes_it(checkout: Checkout) -> None:
    first, second = checkout.begin(), checkout.begin()
    said = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert sum("setting up" in text for text in said) == 1
    assert len(checkout.calls()) == 5
    checkout.check()


def test_what_a_dead_set_up_began_is_waited_for(checkout: Checkout) -> None:
    """The script is killed alone: the installer that it had started goes on writing for a while."""
    process = checkout.begin()
    while len(checkout.calls()) < 4:
        time.sleep(0.005)
    process.kill()
    checkout.run()
    process.communicate()
    checkout.check()
