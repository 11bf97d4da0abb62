"""What the peers share: their command line, their clock, and the JSON they write."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from workload import Workload

MODES = ("head", "last_stage")


class Bench:
    """The command line of a peer, and what it measures."""

    def __init__(self, description: str | None, modes: Iterable[str] = MODES, packages: Iterable[str] = ()) -> None:
        parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("folder", type=Path, metavar="WORKFOLDER")
        parser.add_argument("--mode", choices=[*MODES, "gradual"], default=next(iter(modes)))
        parser.add_argument("--trials", type=int, default=1, help="the first so many learning rates")
        parser.add_argument("--epochs", type=int)
        parser.add_argument("--out", type=Path, required=True)
        arguments = parser.parse_args()
        if arguments.mode not in modes:
            parser.error(f"this peer does {', '.join(modes)} alone, not {arguments.mode}")
        work = json.loads((arguments.folder / "work.json").read_text(encoding="utf-8"))
        self.workload = Workload(arguments.folder, work)
        self.mode: str = arguments.mode
        self.epochs: int = arguments.epochs or work["epochs"]
        self.rates: list[float] = work["rates"][: arguments.trials]
        self.out: Path = arguments.out
        if self.workload.is_text:
            from transformers import BertModel  # noqa: F401
        else:
            import timm  # noqa: F401
        torch.set_num_threads(1)
        names = ["torch", "torchmetrics", "transformers" if self.workload.is_text else "timm", *packages]
        self.result: dict[str, Any] = {
            "peer": Path(parser.prog).stem,
            "workload": work["name"],
            "mode": self.mode,
            "trials": len(self.rates),
            "epochs": self.epochs,
            "rates": self.rates,
            **{name: [] for name in ("cpu_work", "wall_work", "val_acc", "test_acc")},
            "versions": {"python": platform.python_version(), **{n: importlib.metadata.version(n) for n in names}},
        }
        self.result["cpu_imports"] = time.process_time()
        self.start = (time.perf_counter(), time.process_time())

    def lap(self, val_acc: float | list[float], test_acc: float | list[float], **more: Any) -> None:
        """Note a trial (or all of them, with lists) and start the clock of the next."""
        now = (time.perf_counter(), time.process_time())
        self.result["wall_work"].append(now[0] - self.start[0])
        self.result["cpu_work"].append(now[1] - self.start[1])
        self.start = now
        for name, value in (("val_acc", val_acc), ("test_acc", test_acc)):
            self.result[name] += value if isinstance(value, list) else [value]
        self.result |= more

    def write(self) -> None:
        """Write the result."""
        self.out.write_text(json.dumps(self.result, indent=2) + "\n", encoding="utf-8")
