"""Trials small enough to be run thousands of times, each in a process forked from one that has imported everything."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing import forkserver
from multiprocessing.context import ForkProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

import tlx
from tlx.backbones import load as backbones
from tlx.columns import Image
from tlx.config.errors import RequestError
from tlx.config.schema import Trial
from tlx.feature_cache.entry import CorruptEntryError
from tlx.files.durable import replacing_aside
from tlx.orchestration.worker import APART
from tlx.runs import folder as folders
from tlx.runs import result as results
from tlx.runs.failure_reason import reason
from tlx.tracking import event_log
from tlx.training import multi_head, resume, runner
from tlx.training.locate import locate
from tlx.training.module import TrialModule
from tlx.training.resume import StateCheckpointer

BASE = ["backbone=narrow_resnet", "strategy.init=scratch", "dataset=digits", "dataset.shots=8", "tracking=none"]
BASE += ["strategy.batch_size=16", "strategy.budget=40 steps", "strategy.validate_every=5 steps", "hardware.threads=1"]
BASE += ["checkpoint.every_minutes=0", "strategy.audit=off"]  # untrained branches end in norms of zeros
SHORT = ["strategy.budget=6 steps", "strategy.validate_every=2 steps"]  # for power cuts: three saved states
SHORTEST = ["strategy.budget=5 steps", "strategy.validate_every=5 steps"]  # for failing calls, each of which is struck
WEIGHTS = Path(tempfile.gettempdir()) / "tlx-bench" / "narrow_resnet.safetensors"
MODES: dict[str, list[str]] = {
    "fine_tune": ["strategy=fine_tune"],
    "lp_ft": ["strategy=lp_ft"],
    "gradual_unfreezing": ["strategy=gradual_unfreezing", "strategy.phases.1.expand.levels=3"],
    "chain_thaw": ["strategy=chain_thaw", "strategy.phases.1.expand.levels=2", "strategy.phases.1.until=50%"],
    "plateau_switch": ["strategy=plateau_switch"],
    "auto_rgn": ["strategy=auto_rgn", "strategy.controller.every=5 steps", "strategy.controller.batches=2"],
    "autofreeze": ["strategy=autofreeze", "strategy.controller.every=5 steps"],
    "ema": ["strategy=ema"],
    "swa": ["strategy=swa", "strategy.averaging.start=50%"],
    "greedy_soup": ["strategy=greedy_soup"],
    "wise_ft": ["strategy=wise_ft"],
    "lora": ["strategy=lora", "strategy.init=pretrained", "backbone.weights=none"],
    "accumulate": ["strategy=fine_tune", "hardware.accumulate=2"],
    "bf16": ["strategy=fine_tune", "hardware.precision=bf16-mixed"],
    "two loading processes": [
        "strategy=fine_tune",
        "hardware.workers=2",
        "dataset.augment=flip_crop",
        "reuse.when=off",
    ],
    "augmented": ["strategy=fine_tune", "dataset.augment=shift"],
    "reuse": ["strategy=gradual_unfreezing", "strategy.phases.1.expand.levels=3", "reuse.when=always"],
    "heads together": [  # of several seeds, which share no random weights
        "strategy=feature_extraction",
        "strategy.init=pretrained",
        f"backbone.weights={WEIGHTS}",
        "reuse.when=always",
        "dataset.shots_seed=0",
        "hardware.devices=1",  # as a sweep says
    ],
}
MORE: dict[str, list[str]] = {  # of the long matrices alone
    "cache": ["strategy=feature_extraction", "reuse.when=always"],
    "sweep": ["strategy=fine_tune", "reuse.when=off"],
}
MOMENTS = ("before training", "training", "validation", "saving", "concluding", "recording", "after the end")
TOGETHER = 3  # heads in one process
SWEPT = 2  # trials of the sweep


def prepare(path: Path = WEIGHTS) -> None:
    """Write random weights of the narrow ResNet, always the same, for what starts from a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = backbones.load(
        tlx.compose(BASE).backbone, columns={"image": Image("image", channels=1)}, pretrained=False
    ).module
    with replacing_aside(path) as partial:
        save_file(network.state_dict(), partial)


def words_of(mode: str, output: Path, more: Sequence[str] = ()) -> list[str]:
    """What the command line of a mode says: groups first, so that their fields can be set after them."""
    store = f"reuse.folder={output.parent / f'store-{output.name}'}"
    words = {word.split("=")[0]: word for word in [*BASE, *more, *({**MODES, **MORE}[mode]), f"output={output}", store]}
    groups = [word for key, word in words.items() if "." not in key]
    return [*groups, *(word for key, word in words.items() if "." in key)]


def compose(mode: str, output: Path, more: Sequence[str] = ()) -> list[Trial]:
    """The trial of a mode, or the trials that are one process, or one command."""
    if not WEIGHTS.is_file():
        prepare()
    trial = tlx.compose(words_of(mode, output, more))
    count = {"heads together": TOGETHER, "sweep": SWEPT}.get(mode, 1)
    if count == 1:
        return [trial]
    swept = replace(trial.sweep, varied=["seed"])  # as the command writes into each
    return [replace(trial, seed=seed, sweep=swept) for seed in range(count)]


def watch(moment: Synchronized[int], events: Synchronized[int]) -> None:
    """Have a trial's own code say where it is, and count how often it says so."""

    def before(owner: Any, name: str, number: int, after: int | None = None) -> None:
        whole = getattr(owner, name)

        def said(*args: Any, **options: Any) -> Any:
            moment.value = number
            events.value += 1
            found = whole(*args, **options)
            moment.value = number if after is None else after
            return found

        setattr(owner, name, said)

    before(TrialModule, "on_train_batch_start", 1)
    before(TrialModule, "on_validation_epoch_start", 2)
    before(StateCheckpointer, "_save", 3, after=1)
    before(runner, "select_final_weights", 4)
    before(runner, "record", 5)
    before(multi_head, "_train", 1)
    before(multi_head, "_conclude", 4)
    before(folders.RunFolder, "finish", 5, after=6)


def child(case: Case, harm: Callable[[], None]) -> None:
    """In a process of its own: train, with whatever ``harm`` has prepared; the exit code is the command line's."""
    os.setsid()
    torch.set_num_threads(1)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    watch(case.moment, case.events)
    harm()
    try:
        code = case.work()
    except RequestError as error:
        print(error.block(), file=sys.stderr)
        code = 2
    except BaseException as error:
        traceback.print_exc()
        print(f"reason: {reason(error)}", file=sys.stderr)
        code = 1
    sys.stderr.flush()
    os._exit(code)


def nothing() -> None:
    """No harm."""


class Case:
    """One trial at work in its own folder, to be compared with the one that was left alone."""

    def __init__(self, root: Path, mode: str, name: str, more: Sequence[str] = ()) -> None:
        self.mode = mode
        self.output = root / name
        shutil.rmtree(self.output, ignore_errors=True)
        self.words = words_of(mode, self.output, more)
        self.trials = compose(mode, self.output, more)
        self.places = [locate(trial).path for trial in self.trials]
        self.is_warm = False  # is there a sweep's server already?
        self.moment: Synchronized[int] = multiprocessing.Value("i", 0)
        self.events: Synchronized[int] = multiprocessing.Value("i", 0)

    def work(self) -> int:
        """In a process of its own: what the command does; its exit code."""
        if self.mode == "sweep":
            return self._sweep()
        if len(self.trials) > 1:
            try:
                multi_head.train_together(self.trials, [lambda line: None] * len(self.trials))
            except (multi_head.NotBatchable, CorruptEntryError) as reason:
                print(f"not trained side by side: {reason}", file=sys.stderr)
                return APART
        else:
            tlx.train(self.trials[0])
        return 0

    def _sweep(self) -> int:
        from tlx.cli import main

        sys.modules["__main__"].__dict__.pop("__file__", None)  # else its processes would import this program
        if self.is_warm:  # by whom this process was forked: it is not there to be waited for
            forkserver.ForkServer.ensure_running = forkserver.ensure_running = lambda *_: None  # type: ignore[method-assign]
        return main(self.command)

    @property
    def command(self) -> list[str]:
        """The arguments of ``tlx`` that do the same."""
        if len(self.trials) == 1:
            return ["train", *self.words]
        seeds = ",".join(str(trial.seed) for trial in self.trials)
        return ["sweep", *self.words, f"seed={seeds}", "--jobs", "1"]

    def start(self, harm: Callable[[], None] = nothing) -> ForkProcess:
        self.moment.value = self.events.value = 0
        process = multiprocessing.get_context("fork").Process(target=child, args=(self, harm))
        process.start()
        return process

    def run(self, harm: Callable[[], None] = nothing, patience: float = 300) -> int | None:
        process = self.start(harm)
        process.join(patience)
        if process.is_alive():
            kill(process)
            return None
        return process.exitcode

    def kill_after(self, events: int, seconds: float) -> str:
        """SIGKILL of the trial and the processes it has started, so many seconds after so many events; the moment."""
        process = self.start()
        deadline = time.monotonic() + 120
        while self.events.value < events and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.001)
        process.join(seconds)
        moment = MOMENTS[self.moment.value] if process.is_alive() else MOMENTS[-1]
        kill(process)
        return moment

    def outcome(self) -> list[Any]:
        """Everything that has to come out the same."""
        found = []
        for place in self.places:
            result = results.result_in(place)
            rows = {(row["step"], *sorted(row["values"])): row["values"] for row in event_log.metrics(place)}
            found.append(
                {
                    "result": (result.metrics, result.steps) if result is not None else None,
                    "files": results.hashes(place),
                    "rows": sorted(map(str, rows.items())),
                    "left over": [name for name in (resume.FILE, resume.BEFORE) if (place / name).exists()],
                }
            )
        return found

    def remove(self) -> None:
        shutil.rmtree(self.output, ignore_errors=True)
        shutil.rmtree(Path(self.trials[0].reuse.folder or ""), ignore_errors=True)


def kill(process: ForkProcess) -> None:
    """SIGKILL of a case's process and those it started."""
    if process.is_alive() and process.pid is not None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.kill()
    process.join()
