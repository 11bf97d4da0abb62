"""A trial with reuse ends where it ends without, bit for bit, whatever the strategy; its event log says what was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.feature_cache.trials import TEXT, run, same

LONG = ("strategy.budget=12 steps",)
# what is trained, and where the last phase's training examples came from
CASES: dict[str, tuple[tuple[str, ...], str]] = {
    "feature_extraction": (("strategy=feature_extraction",), "filled"),
    "top_k": (("strategy=top_k",), "filled"),
    "gradual_unfreezing": (
        ("strategy=gradual_unfreezing", "strategy.phases.1.expand.levels=3", *LONG),
        "found",
    ),  # by one pass
    "lp_ft": (("strategy=lp_ft",), "filled"),
    "fine_tune": (("strategy=fine_tune",), ""),
    "accumulate": (("strategy=top_k", "hardware.accumulate=2"), "filled"),
    "accumulate features": (("hardware.accumulate=2",), "filled"),
    "ema": (("strategy=top_k", "strategy.averaging={kind: ema, decay: 0.9}"), "filled"),
    "bf16": (("strategy=top_k", "hardware.precision=bf16-mixed"), "filled"),
    "bf16 features": (("hardware.precision=bf16-mixed",), "filled"),
    "logistic": (("strategy=logistic",), "filled"),
    "frozen norms that follow": (("strategy=top_k", "strategy.frozen_norm=train"), "filled"),
    "size": (("backbone.input.size=40",), "filled"),
    "text": ((*TEXT, "strategy=top_k"), "filled"),
    "text features": (TEXT, "filled"),
}


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_those_without_reuse(folder: Path, name: str) -> None:
    words, state = CASES[name]
    plain, reused = run(folder, "off", *words), run(folder, "always", *words)
    assert plain.events == []
    assert reused.states().get("train", "") == state
    same(reused, plain)


def test_the_event_log_says_what_was_reused(folder: Path) -> None:
    phases = "strategy.phases=[{train: [head], until: 50%}, {train: [head, 'stages[-1]']}]"
    reused = run(folder, "always", "strategy=top_k", phases)
    assert [event["sites"] for event in reused.events if event["split"] == "train"] == ["backbone", "layer3"]
    for event in reused.events:
        assert {"split", "sites", "state", "bytes", "examples", "difference"} <= event.keys()
        assert event["split"] in ("train", "val", "test")
        assert event["state"] in ("found", "filled")
        assert event["difference"] == 0
        assert event["examples"] == {"train": 40, "val": 200, "test": 897}[event["split"]]
    on_disk = sum(f.stat().st_size for f in (folder / "store").glob("*/*.npy"))
    assert sum({(e["split"], e["sites"]): e["bytes"] for e in reused.events}.values()) == on_disk
    assert any(line.startswith("reuse: layer3 of train") for line in reused.said)


def test_the_second_trial_finds_what_the_first_kept(folder: Path) -> None:
    first = run(folder, "always", "strategy=top_k")
    second = run(folder, "always", "strategy=top_k", output="second")
    assert set(first.states().values()) == {"filled"}
    assert set(second.states().values()) == {"found"}
    same(second, first)
    other = run(folder, "always", "strategy=top_k", "strategy.lr=0.02", "strategy.batch_size=20", output="other")
    assert set(other.states().values()) == {"found"}


ELSE = {
    "weights": (("seed=1",), ("dataset.shots_seed=0",)),
    "shots": (("dataset.shots=5",), ()),
    "size": (("backbone.input.size=40",), ()),
    "normalisation": (("backbone.input.mean=[0.3]",), ()),
    "batch": (("reuse.batch=32",), ()),
    "precision": (("hardware.precision=bf16-mixed",), ()),
    "pooling": (("+backbone.args.global_pool=max",), ()),
}


@pytest.mark.parametrize("name", ELSE)
def test_what_decides_the_numbers_decides_the_entry(folder: Path, name: str) -> None:
    changed, before = ELSE[name]
    run(folder, "always", *before, output="first")
    second = run(folder, "always", *changed)
    assert second.states()["train"] == "filled"


@pytest.mark.parametrize(("one", "other"), [
    ("backbone.settings.num_attention_heads=2", "backbone.settings.num_attention_heads=4"),
    ("backbone.pooling=mean", "backbone.pooling=first"),
])  # fmt: skip
def test_settings_that_no_weight_and_no_module_shows_decide_the_entry(folder: Path, one: str, other: str) -> None:
    first = run(folder, "always", *TEXT, one, output="first")
    second = run(folder, "always", *TEXT, other)
    assert first.states()["train"] == "filled"
    assert second.states()["train"] == "filled", second.events
    same(second, run(folder, "off", *TEXT, other))


def test_a_small_budget_keeps_what_fits(folder: Path) -> None:
    """Features of the head's phase fit; what later phases could share does not."""
    words = ("strategy=gradual_unfreezing", "strategy.phases.1.expand.levels=3", "reuse.disk=0.6 MB", *LONG)
    reused = run(folder, "always", *words)
    features = {event["split"]: event["state"] for event in reused.events if event["sites"] == "backbone"}
    assert features["train"] == features["val"] == "filled", reused.events
    same(reused, run(folder, "off", *words))
