"""A sweep of 30 trials that is killed again and again, and run to its end, against one that was left alone.

``python scripts/bench/killed_sweep.py FOLDER [--kills 5] [--seed 0]``: SIGKILL of the whole process group at random
moments after trials have begun. Prints a line per question, and exits with 1 if an answer is no.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from mlflow import MlflowClient
from place import emptied

from tlx.runs.lock import is_locked
from tlx.tracking import event_log

WORDS = ["backbone=narrow_resnet", "strategy=fine_tune,gradual_unfreezing,feature_extraction", "strategy.init=scratch"]
WORDS += ["dataset=digits", "dataset.shots=5", "seed=range(10)", "strategy.batch_size=16", "strategy.budget=40 steps"]
WORDS += ["strategy.validate_every=5 steps", "checkpoint.every_minutes=0"]


def command(*more: str) -> list[str]:
    """The sweep."""
    return [sys.executable, "-m", "tlx", "sweep", *WORDS, *more]


def results(root: Path) -> dict[str, tuple[str, str]]:
    """By identity: the metrics, and a hash of the weights."""
    found = {}
    for path in root.glob("narrow*/result.json"):
        result = json.loads(path.read_text())
        weights = hashlib.sha256((path.parent / "checkpoint.safetensors").read_bytes()).hexdigest()
        found[result["identity"]] = json.dumps(result["metrics"], sort_keys=True), weights
    return found


def kill(moments: random.Random, stamps: dict[Path, int]) -> str:
    """Start the sweep, and kill it once a trial has got somewhere; empty if it was over before."""
    process = subprocess.Popen(command(), stdout=subprocess.DEVNULL, start_new_session=True)
    before = rows()
    while rows() <= before and process.poll() is None:
        time.sleep(0.05)
    time.sleep(moments.uniform(0, 4))
    over = process.poll() is not None
    if not over:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finished = {path: path.stat().st_mtime_ns for path in Path("runs").glob("narrow*/result.json")}
    stamps.update({path: stamp for path, stamp in finished.items() if path not in stamps})
    return "" if over else f"killed with {len(finished)} of 30 finished"


def rows() -> int:
    """Metrics that trials have written so far."""
    return sum(path.read_text().count('"metrics"') for path in Path("runs").glob("narrow*/events*.jsonl"))


def main() -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    os.chdir(emptied(asked.folder))
    os.environ["TLX_CACHE"] = str(Path.cwd() / "cache")
    subprocess.run(command("output=calm", "tracking=none", "reuse.folder=calm-store"), check=True, capture_output=True)
    moments, stamps = random.Random(asked.seed), dict[Path, int]()
    for _ in range(asked.kills):
        said = kill(moments, stamps)
        if not said:
            raise SystemExit("it was over before it could be killed")
        print(said, flush=True)
    subprocess.run(command(), check=True, capture_output=True)
    return ask(stamps)


def ask(stamps: dict[Path, int]) -> int:
    """Print what can be asked of the two; 1 if an answer is no."""
    client = MlflowClient(tracking_uri=f"sqlite:///{Path.cwd() / 'mlflow.db'}")
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()], max_results=1000)
    done = [run for run in runs if run.info.status == "FINISHED" and run.data.tags["tlx.kind"] == "train"]
    sweeps = [run for run in runs if run.data.tags["tlx.kind"] == "sweep"]
    parents = {run.data.tags.get("mlflow.parentRunId") for run in done}
    resumed = sum(row["event"] == "resume" for f in Path("runs").glob("narrow*") for row in event_log.read(f))
    calm, killed = results(Path("calm")), results(Path("runs"))
    answers = {
        "30 results": len(killed) == 30,
        "metrics and weights are those of the sweep left alone, bit for bit": killed == calm,
        "what had finished was not touched again": all(path.stat().st_mtime_ns == s for path, s in stamps.items()),
        "no half-written file is left": not list(Path("runs").rglob("*.partial")),
        "no lock is held": not any(is_locked(folder) for folder in Path("runs").iterdir() if folder.is_dir()),
        "MLflow has 30 finished trials": len(done) == 30,
        "they are under one sweep": len(sweeps) == 1 and parents == {sweeps[0].info.run_id},
        "no run is open": not any(run.info.status == "RUNNING" for run in runs),
    }
    for question, answer in answers.items():
        print(f"{'yes' if answer else 'NO '}  {question}")
    print(f"     {resumed} trials went on from a saved state, {len(runs) - len(done) - len(sweeps)} began anew")
    return 0 if all(answers.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
