"""What a large folder of images costs before the first step: listing it, hashing it, looking at every image.

``python scripts/bench/load.py make FOLDER [--files 50000]`` fills a folder with small pictures in ten classes: hard
links of 400 contents, so it takes little room. ``python scripts/bench/load.py measure FOLDER [--repeats 3]`` then
prints a table; each number is the median over processes of their own, without their imports except in the column
``peak``, which is all that a process had at its largest. To compare with another checkout, set ``PYTHONPATH`` to it.

- *list*: the data set's source, from the folder;
- *first*: fingerprint, source and pre-flight with an empty cache: every byte is read, every picture decoded;
- *fingerprint*, *preflight*, *all*: again, with what was remembered: the hash; source and pre-flight; all three.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DISTINCT, CLASSES, SIDE = 400, 10, 16
STEPS = ("list", "first", "fingerprint", "preflight", "all")


def make(folder: Path, files: int) -> None:
    """Fill a folder with pictures, half of them PNG and half JPEG."""
    import numpy as np
    from PIL import Image

    pool, rng = folder / "pool", np.random.default_rng(0)
    pool.mkdir(parents=True)
    contents = [pool / f"{i}.{'png' if i % 2 else 'jpg'}" for i in range(DISTINCT)]
    for path in contents:
        Image.fromarray(rng.integers(256, size=(SIDE, SIDE, 3), dtype=np.uint8)).save(path)
    for i in range(files):
        place = folder / "photos" / f"class_{i % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        content = contents[i % DISTINCT]
        os.link(content, place / f"photo_{i:06d}{content.suffix}")


def work(step: str, root: Path) -> dict[str, float]:
    """Do one step in this process, and say what it took."""
    import sklearn.model_selection  # noqa: F401 (imported by the splits when they are cut)

    from tlx.config.dataset import ImageFolder
    from tlx.data import splits, validation
    from tlx.data.fingerprint import fingerprint
    from tlx.data.sources import imagefolder

    config = ImageFolder(root=str(root))
    known = fingerprint(config) if step == "preflight" else ""
    before, began, spent = _resident(), time.perf_counter(), time.process_time()
    if step in ("fingerprint", "first", "all"):
        known = fingerprint(config)
    if step != "fingerprint":
        source = imagefolder.load(config)
    if step in ("first", "preflight", "all"):
        validation.check(source, splits.cut(source, config), config, known)
    took = {"wall s": time.perf_counter() - began, "cpu s": time.process_time() - spent}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**took, "grown MB": peak - before, "peak MB": peak}


def _resident() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def measure(root: Path, repeats: int) -> None:
    """Print the table."""
    print(f"{'step':<12} {'wall s':>8} {'cpu s':>8} {'grown MB':>9} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as cache:
        for step in STEPS:
            found = []
            for repeat in range(repeats):
                mine = f"{cache}/{repeat}" if step == "first" else f"{cache}/0"
                command = [sys.executable, __file__, "work", str(root), "--step", step]
                printed = subprocess.run(
                    command, env={**os.environ, "TLX_CACHE": mine}, stdout=subprocess.PIPE, check=True
                ).stdout
                found.append(json.loads(printed))
            median = {name: statistics.median(one[name] for one in found) for name in found[0]}
            print(
                f"{step:<12} {median['wall s']:>8.2f} {median['cpu s']:>8.2f}"
                f" {median['grown MB']:>9.0f} {median['peak MB']:>8.0f}",
                flush=True,
            )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "measure", "work"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--step", choices=STEPS, default="list")
    asked = parser.parse_args()
    if asked.what == "make":
        make(asked.folder, asked.files)
    elif asked.what == "measure":
        measure(asked.folder / "photos", asked.repeats)
    else:
        print(json.dumps(work(asked.step, asked.folder)))


if __name__ == "__main__":
    main()
