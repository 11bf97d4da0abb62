"""The project in ``examples/own_parts``, copied to where a test may do with it what it likes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tlx.runs.result import hashes

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_parts"
WORDS = ["backbone=waves", "dataset=patients", "task=ordinal", "tracking=none", "hardware=cpu"]
WORDS += ["checkpoint.every_minutes=0", "strategy.validate_every=3 steps", "strategy.budget=12 steps"]
LEFT = shutil.ignore_patterns("runs", "mlflow.db*", "mlartifacts", "*.sqlite", "__pycache__", ".pytest_cache", ".tlx")


class Project:
    """A copy of the example with its data, and a shell in it whose user trusts it."""

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        self.folder, self.python = folder, python
        shutil.copytree(EXAMPLE, folder, ignore=LEFT)
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(folder.parent / "settings")}
        self.run("-m", "progression.make", "patients.sqlite")
        self.tlx("plugins", "trust")

    def run(self, *words: str, code: int = 0, **variables: str) -> str:
        """What a program of Python prints that ends with ``code``."""
        more = self.environment | variables
        command = [self.python, *words]
        done = subprocess.run(command, cwd=self.folder, env=more, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def tlx(self, *words: str, code: int = 0, **variables: str) -> str:
        """What a command of tlx prints that ends with ``code``."""
        return self.run("-m", "tlx", *words, code=code, **variables)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start a command of tlx."""
        command = [self.python, "-m", "tlx", *words]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True)

    def outcomes(self, output: str = "runs") -> dict[str, Mapping[str, Any]]:
        """By identity, the numbers of the finished trials, and the hashes of their weights and predictions."""
        found: dict[str, Mapping[str, Any]] = {}
        for path in (self.folder / output).glob("*/result.json"):
            one = json.loads(path.read_text())
            found[one["identity"]] = {"metrics": one["metrics"], **hashes(path.parent)}
        return found

    def change(self, name: str, old: str, new: str) -> None:
        """Change a file of it."""
        file = self.folder / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
