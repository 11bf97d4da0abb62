"""Parts of ``scripts/bench/faults.py``: trials that are killed, starved and damaged end as if nothing had happened."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "scripts" / "bench" / "faults.py"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The program with these words."""
    return subprocess.run([sys.executable, str(PROGRAM), *words], capture_output=True, text=True, timeout=600)


@pytest.mark.long
def test_nothing_is_lost(folder: Path) -> None:
    done = run(str(folder / "faults"), "--kills", "4", "--jobs", "1", "--modes", "lp_ft")
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "| killed |" in done.stdout
    assert "| state.pt damaged, then run again |" in done.stdout


@pytest.mark.long
@pytest.mark.skipif(shutil.which("gcc") is None and shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize(("matrix", "lines"), [("--power", "power.jsonl"), ("--io", "io.jsonl")])
def test_a_sitting_of_a_long_matrix(folder: Path, matrix: str, lines: str) -> None:
    """Some cases of it, and the same sitting again goes on behind them."""
    counts = []
    for _ in range(2):
        done = run(str(folder / "faults"), matrix, "--modes", "fine_tune", "--limit", "8")
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
        rows = [json.loads(line) for line in (folder / "faults" / lines).open()]
        counts.append(len(rows))
    assert 0 < counts[0] < counts[1]
    names = {(row.get("state"), row.get("fault"), row.get("at")) for row in rows}
    assert len(names) == len(rows)  # nothing twice
