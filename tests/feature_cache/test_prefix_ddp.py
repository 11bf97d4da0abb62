"""Two processes fill disjoint parts of each entry and end where they end without reuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.feature_cache.trials import words

PROGRAM = """
import json, os, sys
import torch
import tlx
from tlx.feature_cache.entry import Writer

torch.set_num_threads(1)
begin = Writer.__init__
written = open(f"written-{os.environ.get('LOCAL_RANK', '0')}.jsonl", "a")

def noted(self, folder, start, columns):
    begin(self, folder, start, columns)
    written.write(json.dumps(start) + chr(10))
    written.flush()

Writer.__init__ = noted
tlx.train(tlx.compose(sys.argv[1:]))
"""


def run(folder: Path, *overrides: str) -> tuple[dict[str, object], Path]:
    """A trial of two processes in an interpreter of its own; what hangs is killed."""
    (folder / "program.py").write_text(PROGRAM)
    output = next(word for word in overrides if word.startswith("output="))
    said = [word for word in words(*overrides, "hardware=ddp_cpu") if not word.startswith("hardware.threads")]
    command = [sys.executable, "program.py", *said]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            _, errors = process.communicate(timeout=90)
        except subprocess.TimeoutExpired:
            subprocess.run(["kill", "-9", "--", f"-{process.pid}"], check=False)
            pytest.fail("two processes wait for each other")
    assert process.returncode == 0, errors[-2000:]
    (result,) = folder.glob(f"{output.partition('=')[2]}/*/result.json")
    return json.loads(result.read_text())["metrics"], result.parent


def same(folder: Path, *overrides: str) -> Path:
    """Run with reuse and without, compare; the folder of the run with."""
    words = (*overrides, f"reuse.folder={folder / 'store'}")
    metrics, place = run(folder, *words, "reuse.when=always", "output=always")
    expected, other = run(folder, *words, "reuse.when='off'", "output=off")
    one, two = (load_file(path / "checkpoint.safetensors") for path in (place, other))
    assert [name for name in one if not one[name].equal(two[name])] == []
    assert metrics == expected
    assert (place / "predictions.jsonl").read_bytes() == (other / "predictions.jsonl").read_bytes()
    return place


def reused(place: Path) -> dict[str, str]:
    rows = [json.loads(line) for line in (place / "events.jsonl").read_text().splitlines()]
    return {row["split"]: row["state"] for row in rows if row["event"] == "reuse"}


@pytest.mark.long
def test_two_processes_fill_disjoint_parts_and_end_the_same(folder: Path) -> None:
    place = same(folder, "strategy=top_k", "reuse.batch=16")
    assert reused(place) == {"train": "filled", "val": "filled", "test": "filled"}
    starts = [set(map(int, (folder / f"written-{rank}.jsonl").read_text().split())) for rank in (0, 1)]
    assert starts[0] == {0}
    assert starts[1] == {16 * 2, 16 * 7, 16 * 29}  # of 3, 13 and 57 batches
