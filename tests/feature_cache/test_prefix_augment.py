"""Random augmentation: not reused and said so, or made plain or repeated, as asked; with or without a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.feature_cache.trials import run, same

SHIFT = ("dataset.augment=shift", "strategy.budget=4 epochs", "strategy.validate_every=1 epochs")


def test_training_examples_are_not_reused_but_the_others_are(folder: Path) -> None:
    reused, plain = run(folder, "always", *SHIFT), run(folder, "off", *SHIFT)
    assert reused.states() == {"train": "none", "val": "filled", "test": "filled"}
    (event,) = (event for event in reused.events if event["split"] == "train")
    assert "augmentation is random" in event["reason"]
    same(reused, plain)


@pytest.mark.parametrize("strategy", ["feature_extraction", "lp_ft"])
def test_plain_heads_are_plain_with_and_without_a_store(folder: Path, strategy: str) -> None:
    words = (*SHIFT, "reuse.augment='off'", f"strategy={strategy}")
    reused, plain = run(folder, "always", *words), run(folder, "off", *words)
    assert reused.states()["train"] == "filled"
    same(reused, plain)


def test_a_plain_head_is_one_that_was_never_augmented(folder: Path) -> None:
    same(
        run(folder, "always", *SHIFT, "reuse.augment='off'"),
        run(folder, "off", *SHIFT[1:], "dataset.augment=none"),
    )


@pytest.mark.parametrize("strategy", ["feature_extraction", "top_k"])
@pytest.mark.parametrize("views", [2, 4])
def test_views_are_the_same_with_and_without_a_store(folder: Path, strategy: str, views: int) -> None:
    words = (*SHIFT, f"reuse.augment='views={views}'", f"strategy={strategy}")
    reused, plain = run(folder, "always", *words), run(folder, "off", *words)
    assert reused.states()["train"] == "filled"
    (event,) = (event for event in reused.events if event["split"] == "train")
    assert event["examples"] == 40 * views
    same(reused, plain)
    usual = run(folder, "off", *SHIFT, f"strategy={strategy}", output="usual")
    differs = any(not tensor.equal(usual.tensors[name]) for name, tensor in reused.tensors.items())
    assert differs == (views < 4)
