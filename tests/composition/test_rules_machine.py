"""The rules about hardware: what the machine has, and how it shares a batch."""

from __future__ import annotations

import pytest

from tests.composition.told import BASE, told
from tlx.composition import rules
from tlx.config.machine import elsewhere

pytestmark = pytest.mark.usefixtures("machine")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (["hardware=ddp_cpu", "hardware.devices=8"], ["hardware=ddp_cpu", "hardware.devices=4"]),
        (["hardware=cpu", "hardware.devices=0"], ["hardware=cpu", "hardware.devices=1"]),
        (["hardware=multi_gpu"], ["hardware=gpu"]),
        (["hardware=gpu", "hardware.devices=2"], ["hardware.accelerator=gpu", "hardware.devices=null"]),
        (["hardware.devices=-1"], ["hardware.devices=2"]),
    ],
)
def test_the_machine_has_that_many_devices(wrong: list[str], right: list[str]) -> None:
    assert list(told(*BASE, *wrong)) == ["hardware.devices"]
    assert not told(*BASE, *right)


def test_without_a_gpu_the_cpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "gpus", lambda: 0)
    found = told(*BASE, "hardware=gpu")
    assert list(found) == ["hardware.devices"]
    assert "0 GPUs" in found["hardware.devices"]
    assert "hardware=cpu" in found["hardware.devices"]


def test_an_accelerator_is_one_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(told(*BASE, "hardware.accelerator=tpu")) == ["hardware.accelerator"]
    monkeypatch.setattr("sys.platform", "linux")
    assert list(told(*BASE, "hardware.accelerator=mps")) == ["hardware.accelerator"]
    monkeypatch.setattr("sys.platform", "darwin")
    assert not told(*BASE, "hardware.accelerator=mps")


@pytest.mark.parametrize(
    ("batch", "devices", "accumulate", "fits"),
    [(33, 2, 1, False), (32, 1, 3, False), (32, 4, 4, True), (8, 4, 4, False), (12, 2, 3, True), (1, 1, 1, True)],
)
def test_the_batch_is_shared_equally(batch: int, devices: int, accumulate: int, fits: bool) -> None:
    found = told(
        *BASE, f"strategy.batch_size={batch}", f"hardware.devices={devices}", f"hardware.accumulate={accumulate}"
    )
    assert list(found) == ([] if fits else ["strategy.batch_size"])


def test_deepspeed_is_refused_with_the_reason() -> None:
    found = told(*BASE, "hardware.distributed=deepspeed")
    assert "fsdp" in found["hardware.distributed"]
    assert "freeze and thaw" in found["hardware.distributed"]


def test_several_machines_are_slurms() -> None:
    several = [*BASE, "hardware.nodes=2"]
    assert list(told(*several)) == ["hardware.nodes"]
    with elsewhere("ray"):
        assert list(told(*several)) == ["hardware.nodes"]
    with elsewhere("slurm"):
        assert not told(*several)
