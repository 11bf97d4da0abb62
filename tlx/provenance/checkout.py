"""The code and the environment of a recorded run, made again beside each other: worktrees, and a virtual environment.

``FOLDER/project`` and ``FOLDER/tlx`` are git worktrees at the recorded commits with the recorded differences applied;
``FOLDER/requirements.txt`` and ``FOLDER/venv`` have the recorded versions of every package.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable, marks

Run = Callable[[Sequence[str], Path], None]
_OWN = "tlx"
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!+_-]*")  # for pip: a line, and no option


def rebuild(record: Mapping[str, Any], where: Path, say: Callable[[str], None], run: Run) -> Path:
    """Make code and environment of a record in an empty folder; returns its Python.

    ``run`` runs a command in a folder. Raises :class:`ConfigError` for what the record or this machine has not.
    """
    if reason := marks.precious(where) or ("is not empty" if where.exists() and any(where.iterdir()) else ""):
        raise ConfigError([ConfigIssue("--checkout", f"{reason}; name another folder", where)])
    code = record.get("code") or {}
    if not record.get("packages") or "version" not in code.get(_OWN, {}):
        raise ConfigError([ConfigIssue("run", "has no record of its code and packages (repro.json)")])
    strange = [f"{n}=={v}" for n, v in record["packages"].items() if not _PACKAGE.fullmatch(f"{n}=={v}")]
    if strange:
        raise ConfigError([ConfigIssue("run", "names what is no package and version", strange[0])])
    durable.make_folder(where)
    for name, root in (("project", Path.cwd()), (_OWN, Path(__file__).parents[1])):
        if commit := code.get(name, {}).get("commit"):
            _worktree(name, root, str(commit), code[name], where, say, run)
        else:
            say(f"{name}: not from a repository; none is made")
    packages = {name: version for name, version in record["packages"].items() if name != _OWN}
    worktree = (where / _OWN).is_dir()
    source = str(where / _OWN) if worktree else f"{_OWN}=={code[_OWN]['version']}"
    durable.write(where / "requirements.txt", "".join(f"{n}=={v}\n" for n, v in packages.items()))
    _same_python(record, say)
    say(f"venv: {len(packages)} packages, and {source}")
    venv.create(where / "venv", with_pip=True, symlinks=True)
    python = where / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run([*pip, "-r", "requirements.txt"], where)
    run([*pip, "--no-build-isolation", *(["--editable"] if worktree else []), source], where)  # so it knows its commit
    return python


def _worktree(
    name: str, root: Path, commit: str, state: Mapping[str, Any], where: Path, say: Callable[[str], None], run: Run
) -> None:
    if not re.fullmatch("[0-9a-f]{40,64}", commit):
        raise ConfigError([ConfigIssue("run", f"its {name} has no commit but", commit)])
    try:
        hooks = [
            "-c",
            f"core.hooksPath={os.devnull}",
            "-c",
            "core.fsmonitor=false",
        ]  # what is run is what was recorded, and nothing else
        run(["git", *hooks, "worktree", "add", "--quiet", "--detach", str(where / name), commit], root)
    except subprocess.CalledProcessError as error:
        message = f"git has no commit {commit[:12]} of {name} here; fetch it first"
        raise ConfigError([ConfigIssue("--checkout", message, root)]) from error
    if state.get("diff"):
        file = where / f"{name}.diff"
        durable.write(file, str(state["diff"]))
        run(["git", "apply", "--whitespace=nowarn", str(file)], where / name)
    elif state.get("diff_sha"):
        say(f"{name}: its uncommitted changes were too large to be kept; only their hash is known")
    for path in state.get("untracked", {}):
        say(f"{name}: {path} was not in git; only its hash is known")
    say(f"{name}: {commit[:12]}" + (" and its uncommitted changes" if state.get("diff") else ""))


def _same_python(record: Mapping[str, Any], say: Callable[[str], None]) -> None:
    then, now = str(record.get("software", {}).get("python", "")), ".".join(map(str, sys.version_info[:3]))
    if then != now:
        say(f"python: it was {then}, this is {now}; run tlx with the other to have that too")


def here(command: Sequence[str], folder: Path) -> None:
    """Run a command; raises :class:`subprocess.CalledProcessError`."""
    subprocess.run(command, cwd=folder, check=True)


def reproduce(python: Path, words: Sequence[str]) -> int:
    """``tlx reproduce`` by the rebuilt environment, from this directory, where relative paths of data are right.

    A ``tlx`` that lies here is not taken for the rebuilt one (``PYTHONSAFEPATH``). The run's settings are its own, so
    the project's worktree is for looking at.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["PYTHONSAFEPATH"] = "1"
    return subprocess.run([str(python), "-m", "tlx", "reproduce", *words], env=environment, check=False).returncode
