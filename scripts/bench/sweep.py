"""The same sweeps by tlx and by its peers, side by side: CPU seconds of everything, interleaved, medians and ranges.

``python scripts/bench/sweep.py FOLDER --python PEERS/bin/python --peer lightning_template,hf_trainer --repeats 5``

FOLDER is what ``workloads.py`` made. ``--python`` has the packages of ``peers/requirements.txt``. Every measurement is
one line of ``FOLDER/measured.jsonl``, so a run can be stopped and gone on with; ``--table`` prints what is there and
measures nothing. What is measured, and how:

- ``pass``: the frozen backbone over train, val and test once, in batches of 64, nothing else;
- ``tlx ...``: ``tlx sweep`` from an empty store unless *warm*: CPU of the training processes (imports excluded, as the
  peers'), and of the whole command with all its children (imports, configuration and start-up included);
- peers: one trial each, imports excluded; a sweep of N trials is N times that, as they share nothing. DINOv2's way and
  Ludwig share something: theirs are eight trials.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from place import claimed

HERE = Path(__file__).resolve().parent
TLX = str(Path(sys.executable).parent / "tlx")
PASS = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from workload import Workload
from pathlib import Path
folder = Path(sys.argv[2])
work = Workload(folder, json.loads((folder / "work.json").read_text())).load()
model = work.model().eval()
batches = [batch for split in ("train", "val", "test") for batch in work.loader(split)]
with torch.no_grad():
    model.features(*batches[0][:-1])
    began = time.process_time()
    for batch in batches:
        model.features(*batch[:-1])
    print(time.process_time() - began)
"""


def run(command: list[str], environment: dict[str, str] | None = None) -> tuple[float, str]:
    """CPU seconds of a command and all its descendants, those that outlive it included; and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env={**os.environ, **(environment or {})}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:  # orphans come to us: see main
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.05)
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def tlx(folder: Path, mode: str, trials: int, *more: str, cold: bool = True) -> dict[str, Any]:
    """One sweep by tlx."""
    work = json.loads((folder / "work.json").read_text())
    scratch = folder / "scratch"
    shutil.rmtree(scratch / "runs", ignore_errors=True)
    if cold:
        shutil.rmtree(scratch / "cache" / "features", ignore_errors=True)
    rates = [1e-4 * 300 ** (i / max(1, trials - 1)) for i in range(trials)] if trials > 8 else work["rates"][:trials]
    words = [*work["tlx"][mode], f"output={scratch / 'runs'}", f"strategy.lr={','.join(f'{r:.4g}' for r in rates)}"]
    words += ["strategy.keep=last", *more]
    began = time.perf_counter()
    cpu, _ = run([TLX, "sweep", *words, "--jobs", "1"], {"TLX_CACHE": str(scratch / "cache")})
    results = [json.loads(path.read_text()) for path in sorted((scratch / "runs").glob("*/result.json"))]
    assert len(results) == trials, f"{len(results)} of {trials} finished"
    return {
        "work": sum(result["cpu_seconds"] for result in results),
        "whole": cpu,
        "wall": time.perf_counter() - began,
        "acc": statistics.mean(result["metrics"]["test/acc"] for result in results),
    }


def peer(python: str, folder: Path, name: str, mode: str, trials: int = 1) -> dict[str, Any]:
    """Trials by a peer, one after the other or together."""
    out = folder / "scratch" / "peer.json"
    mode_words = ["--mode", mode, "--trials", str(trials)]
    cpu, _ = run([python, str(HERE / "peers" / f"{name}.py"), str(folder), *mode_words, "--out", str(out)])
    found = json.loads(out.read_text())
    acc = statistics.mean(found["test_acc"])
    return {"work": sum(found["cpu_work"]), "whole": cpu, "wall": sum(found["wall_work"]), "acc": acc}


def frozen_pass(python: str, folder: Path) -> dict[str, Any]:
    """The frozen backbone over everything once."""
    _, printed = run([python, "-c", PASS, str(HERE / "peers"), str(folder)])
    return {"work": float(printed.split()[-1])}


def measurements(python: str, ludwig: str, peers: list[str], folder: Path) -> dict[str, Any]:
    """Everything that is measured, by name, in the order it is run."""
    text = json.loads((folder / "work.json").read_text())["kind"] == "text"
    alone = [name for name in peers if name not in ("dinov2_linear", "ludwig_cache")]
    head = {f"{name} head x1": (lambda name=name: peer(python, folder, name, "head")) for name in alone}
    if "dinov2_linear" in peers:  # its heads share a pass of the backbone per epoch
        head["dinov2_linear head x8"] = lambda: peer(python, folder, "dinov2_linear", "head", 8)
    if "ludwig_cache" in peers and text:  # its first trial keeps features for the others
        head["ludwig_cache head x8"] = lambda: peer(ludwig, folder, "ludwig_cache", "head", 8)
    last = [name for name in peers if name in ("lightning_template", "hf_trainer")]
    return {
        "pass": lambda: frozen_pass(python, folder),
        "tlx head 8x10": lambda: tlx(folder, "head", 8),
        "tlx head 8x10 warm": lambda: tlx(folder, "head", 8, cold=False),
        "tlx head 64x10": lambda: tlx(folder, "head", 64),
        "tlx head x1 reuse=off": lambda: tlx(folder, "head", 1, "reuse=off"),
        **head,
        "tlx last stage x1": lambda: tlx(folder, "last_stage", 1),
        "tlx last stage x1 reuse=off": lambda: tlx(folder, "last_stage", 1, "reuse=off"),
        **{f"{name} last stage x1": (lambda name=name: peer(python, folder, name, "last_stage")) for name in last},
        "tlx gradual x1": lambda: tlx(folder, "gradual", 1),
        "tlx gradual x1 reuse=off": lambda: tlx(folder, "gradual", 1, "reuse=off"),
        **({"gradual x1": lambda: peer(python, folder, "gradual", "gradual")} if peers else {}),
        "tlx fine-tune x1": lambda: tlx(folder, "head", 1, "strategy=fine_tune", "strategy.budget=2 epochs"),
        "tlx fine-tune x1 reuse=off": lambda: tlx(
            folder, "head", 1, "strategy=fine_tune", "strategy.budget=2 epochs", "reuse=off"
        ),
    }


def table(folder: Path) -> str:
    """Medians and ranges of what was measured, and each against one frozen pass."""
    rows = [json.loads(line) for line in (folder / "measured.jsonl").read_text().splitlines()]
    names = list(dict.fromkeys(row["name"] for row in rows))
    base = statistics.median(row["work"] for row in rows if row["name"] == "pass")
    lines = [f"**{folder.name}**", "", "| | CPU-s, training | passes | CPU-s, whole command | test acc | n |"]
    lines.append("|---|---|---|---|---|---|")
    for name in names:
        mine = [row for row in rows if row["name"] == name]
        work, whole = [row["work"] for row in mine], [row.get("whole") for row in mine]
        shown = f"{statistics.median(whole):.1f}" if whole[0] is not None else "-"
        acc = f"{statistics.mean(row['acc'] for row in mine):.3f}" if "acc" in mine[0] else "-"
        spread = f"{statistics.median(work):.2f} ({min(work):.2f} - {max(work):.2f})"
        lines.append(f"| {name} | {spread} | {statistics.median(work) / base:.2f} | {shown} | {acc} | {len(mine)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", default="resnet18,vit_tiny,bert")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--ludwig", default="", help="a Python that has Ludwig, for --peer ludwig_cache")
    parser.add_argument("--peer", default="")
    parser.add_argument("--only", default="", help="measure what has one of these, parted by commas, in its name")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: descendants that outlive their parent come to us
    folders = [arguments.folder.resolve() / name for name in arguments.work.split(",")]
    for _ in range(0 if arguments.table else arguments.repeats):
        for folder in folders:
            claimed(folder / "scratch")
            words = json.loads((folder / "work.json").read_text())["tlx"]["head"]
            run([TLX, "plan", *words], {"TLX_CACHE": str(folder / "scratch" / "cache")})  # data sets are rendered once
            peers = [name for name in arguments.peer.split(",") if name]
            wanted = measurements(arguments.python, arguments.ludwig, peers, folder)
            for name, measure in wanted.items():
                if any(part in name for part in arguments.only.split(",")):
                    row = {"name": name, **measure()}
                    print(folder.name, row, flush=True)
                    with (folder / "measured.jsonl").open("a") as stream:
                        stream.write(json.dumps(row) + "\n")
    for folder in folders:
        if (folder / "measured.jsonl").is_file():
            print(f"\n{table(folder)}")


if __name__ == "__main__":
    main()
