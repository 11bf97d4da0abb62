"""What only a GPU shows: the same bits twice and after an interruption, scaled gradients, kept features, slots."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import tlx
from tests.conftest import Said
from tests.training.conftest import Compose, Families, differences, trained
from tests.training.heads import BASE, alone, run
from tests.training.test_no_waiting import CASES, HOOKS
from tests.training.test_resume import EVERY, stop_after
from tlx.config.schema import Trial
from tlx.runs import layout
from tlx.strategies.controllers import AutoFreeze, AutoRGN
from tlx.tracking import event_log
from tlx.training.locate import locate
from tlx.training.machine import choose_machine
from tlx.training.module import TrialModule

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


@pytest.fixture
def on_gpu(small: Compose) -> Compose:
    """A small trial on one GPU."""
    return lambda *words: small("hardware=gpu", *words)


def result_of(trial: Trial) -> tuple[dict[str, float | None], bytes]:
    """Metrics and predictions of a trial, run now."""
    return tlx.train(trial).metrics, (locate(trial).path / layout.PREDICTIONS).read_bytes()


def test_auto_is_the_gpu(small: Compose) -> None:
    machine = choose_machine(small("hardware=auto").hardware)
    assert (machine.accelerator, machine.devices) == ("gpu", torch.cuda.device_count())
    assert tlx.train(small("hardware=auto", "hardware.devices=1")).facts["hardware"].startswith("GPU, 1 process")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("family", ["cnn", "vit", "bert"])
def test_twice_is_the_same_file(on_gpu: Compose, families: Families, family: str, precision: str) -> None:
    words = (*families[family], "strategy=fine_tune", f"hardware.precision={precision}")
    one, other = (on_gpu(*words, f"output={output}") for output in ("one", "other"))
    assert not differences(trained(one), trained(other))
    assert result_of(one) == result_of(other)


@pytest.mark.parametrize(
    ("name", "precision"),
    [*(("ema", one) for one in PRECISIONS), *(("gradual_unfreezing", one) for one in PRECISIONS[:2])],
)
def test_an_interrupted_trial_ends_the_same(
    on_gpu: Compose, families: Families, monkeypatch: pytest.MonkeyPatch, name: str, precision: str
) -> None:
    words = (*families["cnn"], f"strategy={name}", *EVERY, f"hardware.precision={precision}")
    straight, stopped = on_gpu(*words, "output=straight"), on_gpu(*words, "output=stopped")
    whole = trained(straight)
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            tlx.train(stopped)
    assert not differences(trained(stopped), whole)
    assert result_of(stopped) == result_of(straight)


def test_a_gpu_and_a_cpu_agree(small: Compose, families: Families, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the rounding of 32 bits, once cuDNN rounds convolutions to no fewer: TF32 moves running_var by 0.25."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    words = (
        *families["cnn"],
        "strategy=fine_tune",
        "strategy.optimizer.name=sgd",
        "strategy.lr=0.01",
        "strategy.keep=last",
    )
    one = trained(small(*words, "hardware=cpu", "output=cpu"))
    assert not differences(trained(small(*words, "hardware=gpu", "output=gpu")), one, allowed=1e-5)


@pytest.mark.parametrize("strategy", ["feature_extraction", "gradual_unfreezing"])
def test_reuse_changes_rounding_alone(on_gpu: Compose, families: Families, strategy: str) -> None:
    words = (*families["cnn"], f"strategy={strategy}", "strategy.optimizer.name=sgd", "strategy.budget=12 steps")
    plain = trained(on_gpu(*words, "reuse.when=off", "output=plain"))
    trial = on_gpu(*words, "reuse=always", "output=reused")
    assert not differences(trained(trial), plain, allowed=5e-3)
    events = [row for row in event_log.read(locate(trial).path) if row["event"] == "reuse"]
    assert events, "nothing was reused"


def test_heads_trained_together_are_those_alone(on_gpu: Compose, families: Families) -> None:
    words = [word for word in (*families["cnn"], *BASE) if "=" in word]
    groups = [word for word in words if "." not in word.split("=")[0]]
    rest = [word for word in words if word not in groups]
    trials = [on_gpu(*groups, *rest, f"seed={seed}") for seed in (0, 1, 2)]
    for trial, result in zip(trials, run(trials), strict=True):
        assert result is not None
        expected, place = alone(trial)
        assert result.metrics == pytest.approx(expected.metrics, abs=1e-2)
        state = load_file(locate(trial).path / layout.CHECKPOINT)
        assert not differences(state, load_file(place / layout.CHECKPOINT), allowed=2e-2)


@pytest.mark.parametrize("words", [(), ("strategy.clip=1",), ("strategy.optimizer.name=lamb",)])
@pytest.mark.parametrize("strategy", ["auto_rgn", "autofreeze"])
def test_controllers_read_true_gradients(
    on_gpu: Compose, families: Families, monkeypatch: pytest.MonkeyPatch, strategy: str, words: tuple[str, ...]
) -> None:
    """Losses are scaled by 65536 in fp16 and overflow at first; who unscales them depends on optimizer and clipping."""
    kind = {"auto_rgn": AutoRGN, "autofreeze": AutoFreeze}[strategy]
    observe = kind.observe
    seen: dict[str, list[float]] = {}

    def watched(self: Any, model: nn.Module, scale: float) -> None:
        gradients = [p.grad for p in model.get_submodule("head").parameters() if p.grad is not None]
        seen[precision].append(sum(float(gradient.norm()) for gradient in gradients) / scale)
        observe(self, model, scale)

    monkeypatch.setattr(kind, "observe", watched)
    base = (*families["cnn"], f"strategy={strategy}", "strategy.budget=12 steps", "strategy.controller.every=4 steps")
    for precision in ("32-true", "16-mixed"):
        seen[precision] = []
        tlx.train(on_gpu(*base, *words, f"hardware.precision={precision}", f"output={precision}"))
    full, half = seen["32-true"], seen["16-mixed"]
    assert len(full) == 12
    assert half
    assert all(0.1 * min(full) < value < 10 * max(full) for value in half), (full, half)


@pytest.mark.parametrize("words", [("hardware.compile=true",), ("hardware.gradient_checkpointing=true",)])
def test_equipment(on_gpu: Compose, families: Families, words: tuple[str, ...]) -> None:
    base = (*families["vit"], "strategy=fine_tune", "strategy.optimizer.name=sgd")
    plain = trained(on_gpu(*base, "output=plain"))
    assert not differences(trained(on_gpu(*base, *words, "output=other")), plain, allowed=5e-3)


def test_trials_of_a_sweep_share_a_gpu(said: Said, folder: Path) -> None:
    """Processes are forked from a server, which would be impossible after CUDA had been started in it."""
    words = ("backbone=narrow_resnet", "dataset=digits", "dataset.shots=4", "strategy.budget=4 steps")
    text = said(
        "sweep",
        *words,
        "hardware=gpu",
        "seed=0,1,2,3",
        "strategy=fine_tune",
        "tracking=none",
        "hydra.launcher.n_jobs=2",
    )
    assert "4 done" in text or text.count("resnet") >= 4
    done = list((folder / "runs").glob("*/result.json"))
    assert len(done) == 4
    assert all("GPU" in path.read_text() for path in done)


def test_a_repetition_is_bitwise(said: Said, folder: Path) -> None:
    words = ("backbone=narrow_resnet", "dataset=digits", "dataset.shots=4", "strategy.budget=6 steps", "tracking=none")
    said("train", *words, "hardware=gpu", "strategy=lp_ft")
    (run_folder,) = (path.parent for path in (folder / "runs").glob("*/result.json"))
    assert "bitwise" in said("reproduce", str(run_folder))


def test_switches_are_put_back(on_gpu: Compose) -> None:
    before = torch.are_deterministic_algorithms_enabled()
    trial = on_gpu("strategy=fine_tune")
    tlx.train(trial)
    assert torch.are_deterministic_algorithms_enabled() == before
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"]
    loose = replace(trial, output="loose", hardware=replace(trial.hardware, deterministic="never"))
    assert tlx.train(loose).steps == 6


def test_out_of_memory_comes_with_advice(on_gpu: Compose) -> None:
    """This process may take little of the memory, so that others beside it have theirs."""
    _, total = torch.cuda.mem_get_info()
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (32 << 20)) / total)
    trial = on_gpu(
        "strategy=fine_tune",
        "backbone=timm",
        "backbone.name=resnet50",
        "backbone.weights=none",
        "strategy.init=scratch",
    )
    try:
        with pytest.raises(torch.OutOfMemoryError):
            tlx.train(trial)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    last = list(event_log.read(locate(trial).path))[-1]
    assert last["status"] == "FAILED"
    assert "hardware.accumulate=2" in last["reason"]


def test_loading_processes_beside_a_gpu(said: Said, folder: Path) -> None:
    """They are forked from a process in which CUDA has started, and never touch it."""
    words = ("backbone=narrow_resnet", "dataset=digits", "dataset.shots=4", "strategy.budget=6 steps", "tracking=none")
    said(
        "sweep",
        *words,
        "hardware=gpu",
        "strategy=fine_tune",
        "hardware.workers=2",
        "dataset.augment=flip_crop",
        "seed=0,1",
    )
    assert len(list((folder / "runs").glob("*/result.json"))) == 2


@pytest.mark.parametrize("case", ["everything", "features", "class weights"])
def test_no_step_waits_for_the_gpu(on_gpu: Compose, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """torch itself refuses what would wait, copies of batches included."""
    for hook in ("transfer_batch_to_device", *HOOKS):
        original = getattr(TrialModule, hook)

        def refusing(*args: Any, original: Any = original, **kwargs: Any) -> Any:
            torch.cuda.set_sync_debug_mode("error")
            try:
                return original(*args, **kwargs)
            finally:
                torch.cuda.set_sync_debug_mode("default")

        monkeypatch.setattr(TrialModule, hook, refusing)
    tlx.train(on_gpu(*CASES[case]))
