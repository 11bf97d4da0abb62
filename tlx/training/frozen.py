"""``frozen.json`` of a run folder: what of a trained network never trained, and where that is to be had.

Small networks have it beside their trained tensors, in ``frozen.safetensors``; of others the hash is known, and where
they came from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tlx.backbones.weights import State, content, content_of
from tlx.config.errors import ConfigIssue, WeightsError
from tlx.config.schema import Trial
from tlx.files import durable, foreign
from tlx.runs import layout
from tlx.runs.describe import beginning
from tlx.training.checkpoint import whole

SMALL = 16 << 20  # bytes that are stored where nobody says anything else


@dataclass(frozen=True)
class WeightsSource:
    """Where tensors that never trained came from."""

    backbone: str  # as backbone.name has it
    weights: str  # as backbone.weights has it, or strategy.init; none: drawn from the seed
    fingerprint: str  # of their content, or the name they are published under


@dataclass(frozen=True)
class Frozen:
    """The content of the file."""

    tensors: int
    bytes: int
    sum: str  # of all of them, see tlx.backbones.weights.content
    stored: bool  # in frozen.safetensors, beside
    source: WeightsSource


def write(folder: Path, model: nn.Module, state: State, trial: Trial, fingerprint: str, *, first: bool) -> None:
    """Record the parameters that are not in ``state``, and store them if they are small, or if the trial says so.

    Args:
        folder: The run folder.
        model: The network; of one that is sharded, every process must ask.
        state: What the checkpoint holds.
        trial: Whose network it is.
        fingerprint: Of the weights that it began from.
        first: This is the process that writes.
    """
    left = {name: p for name, p in sorted(model.named_parameters()) if name not in state}
    size = sum(p.numel() * p.element_size() for p in left.values())
    when = trial.checkpoint.frozen
    stored = bool(left) and (when == "stored" or (when == "auto" and size <= SMALL))
    kept: State = {}

    def passing() -> Iterator[tuple[str, Tensor]]:
        for name, parameter in left.items():
            tensor = whole(parameter)
            if stored and first:
                kept[name] = tensor
            yield name, tensor

    sum_ = content_of(passing())
    if not first:
        return
    known = Frozen(len(left), size, sum_, stored, WeightsSource(trial.backbone.name, beginning(trial), fingerprint))
    if stored:
        write_tensors(folder, kept)
    else:
        with suppress(FileNotFoundError):  # of an earlier attempt
            (folder / layout.FROZEN_TENSORS).unlink()
    write_facts(folder, known)


def write_facts(folder: Path, known: Frozen) -> None:
    """Write the file; the rename makes it all or nothing."""
    durable.write(folder / layout.FROZEN, json.dumps(asdict(known), indent=1) + "\n")


def write_tensors(folder: Path, state: State) -> None:
    """Write the tensors, before the file that says that they are there."""
    with durable.replacing_aside(folder / layout.FROZEN_TENSORS) as partial:
        save_file(state, partial)


def read(folder: Path) -> Frozen:
    """What a run folder says.

    Raises:
        WeightsError: It says nothing, or not what tlx writes.
    """
    try:
        found = foreign.json_file(folder / layout.FROZEN, Frozen, 1 << 16)
    except FileNotFoundError:
        message = "is not there, so nobody knows what never trained: give the trial's command again"
        raise WeightsError([ConfigIssue(layout.FROZEN, message, folder)]) from None
    except foreign.Unreadable as error:
        raise WeightsError([ConfigIssue(layout.FROZEN, f"cannot be read: it {error}", folder)]) from error
    return Frozen(**{**found, "source": WeightsSource(**found["source"])})


def read_tensors(folder: Path, known: Frozen) -> State:
    """The stored tensors; raises :class:`WeightsError` if they are not those that were written."""
    if not known.tensors:
        return {}
    path = folder / layout.FROZEN_TENSORS
    try:
        foreign.reading(path).close()  # no link, no pipe
        state: State = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        message = f"cannot be read: {(str(error) or type(error).__name__).splitlines()[0]}"
        raise WeightsError([ConfigIssue(layout.FROZEN_TENSORS, message, folder)]) from error
    if content(state) != known.sum:
        message = "is not what was written: its tensors have other bits"
        raise WeightsError([ConfigIssue(layout.FROZEN_TENSORS, message, folder)])
    return state
