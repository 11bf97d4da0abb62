"""How far a reader of one trial goes before its first training step: files of tlx, and changes from one to another.

``python scripts/bench/jumps.py [words of tlx train]`` runs a trial in an empty folder, up to its first optimizer step,
and counts the functions of tlx that are entered on the way, each the first time, as who reads them would. What a module
does when it is imported is not counted, nor are lambdas and comprehensions. ``--list`` names the files, with how often
each is come to from another.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook

import tlx
from tlx.cli import main as command

TRIAL = ["backbone=pixels", "strategy=feature_extraction", "dataset=digits", "tracking=none"]
SMALL = 200  # numbers: an optimizer is tried on fewer before it is taken
ROOT = str(Path(tlx.__file__).parent) + os.sep


class Reader:
    """Follows the calls of one thread through the files of tlx."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.functions: set[tuple[str, str]] = set()
        self.changes = 0
        self.imports = 0
        self.before = ""

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """Count one function that is entered, unless some module is just being imported."""
        code = frame.f_code
        if not code.co_filename.startswith(ROOT):
            return
        if code.co_name == "<module>":
            self.imports += {"call": 1, "return": -1}.get(event, 0)
        found = (code.co_filename, code.co_qualname)
        if event != "call" or self.imports or code.co_name.startswith("<") or found in self.functions:
            return
        self.functions.add(found)
        if code.co_filename != self.before:
            self.changes += 1
            self.files[code.co_filename.removeprefix(ROOT)] += 1
            self.before = code.co_filename


def main() -> int:
    """The command line; the exit code."""
    listed = "--list" in sys.argv
    words = [word for word in sys.argv[1:] if word != "--list"] or TRIAL
    reader = Reader()

    def report(optimizer: Optimizer, *_: Any) -> None:
        if sum(weight.numel() for group in optimizer.param_groups for weight in group["params"]) < SMALL:
            return
        sys.setprofile(None)
        files, functions = len(reader.files), len(reader.functions)
        print(f"before the first step: {files} files, {reader.changes} changes of file, {functions} functions")
        for file, count in sorted(reader.files.items()) if listed else []:
            print(f"{count:5}  {file}")
        sys.stdout.flush()
        shutil.rmtree(folder)
        os._exit(0)

    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.environ["TLX_CACHE"] = folder
    register_optimizer_step_post_hook(report)
    sys.setprofile(reader)
    return command(["train", *words])


if __name__ == "__main__":
    raise SystemExit(main())
