"""Why a trial ended, in a line that helps: the first error, not the one that tidying up raised, and what to do."""

from __future__ import annotations

import errno

import pytest
import torch

import tlx
from tests.training.conftest import Compose
from tlx.data.module import Data
from tlx.runs.failure_reason import OOM, failure_reason, reason
from tlx.tracking import event_log
from tlx.training.locate import locate


def test_status() -> None:
    assert failure_reason(KeyboardInterrupt())["status"] == "KILLED"
    assert failure_reason(SystemExit(143))["status"] == "KILLED"
    assert failure_reason(ValueError("no"))["status"] == "FAILED"


def test_the_cause_comes_first() -> None:
    def fails() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise RuntimeError("tidying up")

    with pytest.raises(RuntimeError) as caught:
        fails()
    text = reason(caught.value)
    assert text.startswith("OSError: [Errno 28] No space left on device (then RuntimeError: tidying up)")
    assert "make room and run the same command again" in text
    assert "No space left" in failure_reason(caught.value)["traceback"]


def test_a_chosen_message_is_kept() -> None:
    def fails() -> None:
        try:
            raise KeyError("x")
        except KeyError as error:
            raise RuntimeError("said so on purpose") from error

    with pytest.raises(RuntimeError) as caught:
        fails()
    assert reason(caught.value) == "RuntimeError: said so on purpose"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_memory_advice(error: Exception) -> None:
    assert OOM in reason(error)


def test_lightning_does_not_hide_what_happened(small: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error on the way into a loader makes Lightning's own teardown fail, and that is what it raises."""

    def broken(*_: object, **__: object) -> object:
        class Loader:
            def __iter__(self) -> object:
                raise OSError(errno.EIO, "the disk has gone")

            def __len__(self) -> int:
                return 1

        return Loader()

    monkeypatch.setattr(Data, "train_loader", broken)
    trial = small("strategy=fine_tune")
    with pytest.raises((OSError, RuntimeError)):
        tlx.train(trial)
    last = list(event_log.read(locate(trial).path))[-1]
    assert "the disk has gone" in last["reason"]
    assert last["status"] == "FAILED"
