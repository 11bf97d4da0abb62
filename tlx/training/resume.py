"""An interrupted trial goes on at its last saved validation, and ends bit for bit as if nothing had happened.

The state of a run is plain values and tensors, written beside the event log and gone when the trial is finished.
"""

from __future__ import annotations

import random
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pytorch_lightning import Trainer

from tlx._compat.loop_counters import set_loop_counters
from tlx.config.errors import ConfigIssue, WeightsError
from tlx.config.hardware import Checkpoint
from tlx.files import durable, foreign
from tlx.runs import signals
from tlx.runs.layout import STATES
from tlx.tracking import event_log
from tlx.training.callbacks.callback import Callback
from tlx.training.callbacks.context import Context
from tlx.training.checkpoint import restore, tensors
from tlx.training.module import TrialModule

FILE, BEFORE = STATES


class StateCheckpointer(Callback):
    """Saves a run's state after validations, as often as ``often`` says, and keeps the last two.

    Args:
        folder: The run folder.
        origin: Of the model before training: a state goes on with this one alone.
        often: When to save.
        began: Process seconds and wall seconds (``time.process_time``, ``perf_counter``) at the start.
        say: Hears of states that are passed over.
        state: Gives the state; None on a process that does not write it. Every process of the trial asks.
    """

    after: ClassVar[tuple[str, ...]] = ("metric_rows", "averaging", "controller", "observer")

    def __init__(
        self,
        folder: Path,
        origin: str,
        often: Checkpoint,
        began: tuple[float, float],
        say: Callable[[str], None],
        state: Callable[[], dict[str, Any] | None],
    ) -> None:
        self.path = folder / FILE
        self.origin = origin
        self.often = often
        self.say = say
        self._state = state
        self._saved = time.monotonic()
        self._step = 0
        self._began = began
        self._earlier = (0.0, 0.0)

    def spent(self) -> tuple[float, float]:
        """CPU and wall seconds of the trial, those before an interruption included."""
        cpu, wall = time.process_time() - self._began[0], time.perf_counter() - self._began[1]
        return self._earlier[0] + cpu, self._earlier[1] + wall

    def on_round_end(self, ctx: Context) -> None:
        """Save if it is time to, or if the trial has to make room: then it ends here. All processes decide alike."""
        leaves = ctx.any_process(signals.is_asked())
        minutes, steps = self.often.every_minutes, self.often.every_steps
        by_time = minutes is not None and time.monotonic() - self._saved >= 60 * minutes
        by_steps = steps is not None and ctx.step - self._step >= steps
        wants = by_time or by_steps or (leaves and (minutes, steps) != (None, None))
        if ctx.any_process(wants):  # their clocks are not one
            self._save(ctx.step)
        if leaves:
            signals.requeue_and_exit()

    def _save(self, step: int) -> None:
        state = self._state()
        if state is not None:
            with durable.replacing(self.path) as partial:
                with partial.open("wb") as stream:
                    torch.save({**state, "origin": self.origin, "spent": self.spent()}, stream)
                if self.path.exists():
                    self.path.replace(self.path.with_name(BEFORE))
        self._saved, self._step = time.monotonic(), step

    def metrics(self) -> list[dict[str, Any]]:
        """The metric rows written before the interruption."""
        return event_log.metrics(self.path.parent)

    def saved(self) -> dict[str, Any] | None:
        """The state to go on from: the last one, or the one before if that is damaged; None if there is none.

        Raises :class:`WeightsError` if it is of another model, or if neither can be read.
        """
        if not can_resume(self.path.parent):
            return None
        reasons = []
        for path in (one for one in _states(self.path.parent) if one.is_file()):
            state, reason = _read(path)
            if state is None:
                self.say(f"{path.name} {reason}; it is passed over")
                reasons.append(reason)
                continue
            if state["origin"] != self.origin:
                raise _refused(path, "is of other initial weights or another cut into stages")
            self._earlier, self._step = tuple(state["spent"]), int(state["step"])
            return state
        raise _refused(self.path, reasons[0])


def can_resume(folder: Path) -> bool:
    """Is there a state to go on from, and the event log that led to it?"""
    return any(path.is_file() for path in _states(folder)) and bool(event_log.attempt(folder))


def forget(folder: Path) -> None:
    """The trial is finished: its state is of no more use."""
    for path in _states(folder):
        path.unlink(missing_ok=True)
    durable.sync_folder(folder)  # or it would come back behind the event log's end


def _states(folder: Path) -> tuple[Path, Path]:
    return folder / FILE, folder / BEFORE


def _read(path: Path) -> tuple[dict[str, Any] | None, str]:
    """A state, or why there is none: its file is an archive whose parts have checksums."""
    try:
        with foreign.reading(path) as stream, zipfile.ZipFile(stream) as archive:
            if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
                return None, "is packed otherwise than states are"
            if (damaged := archive.testzip()) is not None:
                return None, f"is damaged ({damaged})"
            stream.seek(0)
            state: Any = torch.load(stream, map_location="cpu", weights_only=True)
    except foreign.Unreadable as reason:
        return None, str(reason)
    except Exception as error:  # whatever it is, the file is of no use
        return None, f"cannot be read ({type(error).__name__})"
    return (state, "") if _is_state(state) else (None, "holds no state of a trial")


def _is_state(state: Any) -> bool:
    """Has it what is looked at before it is taken up?"""
    return (
        isinstance(state, dict)
        and all(isinstance(state.get(name), int) for name in ("step", "rounds", "phase", "start", "stop"))
        and isinstance(state.get("origin"), str)
        and isinstance(state.get("spent"), tuple)
        and [type(one) for one in state["spent"]] == [float, float]
        and isinstance(state.get("random"), list)
        and isinstance(state.get("over"), bool)
        and min(state["step"], state["rounds"], state["phase"], state["start"]) >= 0
    )


def _refused(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        [ConfigIssue("resume", f"the saved state {reason}; delete it to begin the trial anew", str(path))]
    )


def capture(trainer: Trainer, module: TrialModule) -> dict[str, Any]:
    """Everything the rest of the run depends on, after a validation."""
    return {
        **module.state.state_dict(),
        "over": bool(trainer.should_stop) and not module.state.fit_ends,  # the phase has ended early
        "tensors": tensors(module.model, module.state.trained),
        "optimizer": trainer.optimizers[0].state_dict(),
        "scaler": trainer.precision_plugin.state_dict(),
        "callbacks": module.callbacks.state_dict(),
        "random": _of_all(trainer, _random_state()),
    }


def restore_state(state: dict[str, Any], trainer: Trainer, module: TrialModule, total: int) -> None:
    """Bring a fresh trainer and module to where the run was; the phase is not begun again.

    Raises:
        WeightsError: The state is of the same model, but not of this trial.
    """
    try:
        module.state.load_state_dict(state, module.phases, total)
        module.state.optimizer = state["optimizer"]
        restore(module.model, state["tensors"])
        trainer.precision_plugin.load_state_dict(state["scaler"])
        module.callbacks.load_state_dict(state["callbacks"], trainer.strategy.root_device)
        set_loop_counters(trainer, state["rounds"], state["step"])
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise _unfit(module, error) from error
    module.before_first_round = lambda: _go_on(state["random"], module)


def _go_on(states: list[dict[str, Any]], module: TrialModule) -> None:
    """Just before the first batch: random numbers as they were."""
    try:
        _set_random_state(states[int(module.trainer.global_rank)])
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise _unfit(module, error) from error


def _unfit(module: TrialModule, error: Exception) -> WeightsError:
    folder = module.events.path.parent if module.events.path is not None else Path()
    return _refused(folder / FILE, f"does not fit this trial ({type(error).__name__}: {error})")


def _of_all(trainer: Trainer, value: dict[str, Any]) -> list[dict[str, Any]]:
    """What each process of the trial has, by rank: they draw alike only while their shares have one shape."""
    values: list[Any] = [value] * trainer.world_size
    if trainer.world_size > 1:
        torch.distributed.all_gather_object(values, value)
    return values


def _random_state() -> dict[str, Any]:
    kind, keys, position, has_gauss, gauss = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": random.getstate(),
        "numpy": (str(kind), np.asarray(keys).tolist(), int(position), int(has_gauss), float(gauss)),
    }


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    np.random.set_state(tuple(state["numpy"]))
