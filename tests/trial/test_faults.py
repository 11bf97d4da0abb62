"""A part of ``scripts/bench/faults.py``: trials that are killed, starved and damaged end as if nothing had happened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "scripts" / "bench" / "faults.py"


@pytest.mark.slow
def test_nothing_is_lost(folder: Path) -> None:
    command = [sys.executable, str(PROGRAM), str(folder / "faults"), "--kills", "4", "--jobs", "1"]
    done = subprocess.run([*command, "--modes", "lp_ft"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "| killed |" in done.stdout
    assert "| state.pt damaged, then run again |" in done.stdout
