"""What is kept follows the weights and the modes: whatever changes them between phases, numbers stay as without."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import save_file

from tests.feature_cache.networks import shake
from tests.feature_cache.trials import TEXT, composed, run, same
from tlx.backbones.load import load
from tlx.columns import Image

LONG = "strategy.budget=12 steps"
HEAD = "{train: [head], until: 50%}"
EMA = "strategy.averaging={kind: ema, decay: 0.9}"
XLM = (
    *(word for word in TEXT if "settings" not in word),
    "backbone.architecture=xlm",
    "backbone.settings={emb_dim: 32, n_layers: 3, n_heads: 2, dropout: 0.2, attention_dropout: 0}",
)
CASES = {
    # a frozen stage begins anew while the same head trains on
    "reinit": (f"strategy.phases=[{HEAD}, {{train: [head], reinit: ['stages[-1]']}}]",),
    # the mean that is validated has a backbone of its own
    "ema of all, then the head": ("strategy.phases=[{train: [all], until: 50%}, {train: [head]}]", EMA),
    "swa of all, then the head": (
        "strategy.phases=[{train: [all], until: 50%}, {train: [head]}]",
        "strategy.averaging={kind: swa, start: 25%}",
    ),
    # ingredients of the first phase have other backbones
    "soup of all, then the head": (
        "strategy.phases=[{train: [all], until: 50%}, {train: [head]}]",
        "strategy.averaging={kind: greedy_soup, size: 5}",
    ),
    "uniform soup": (
        "strategy.phases=[{train: [all], until: 50%}, {train: [head]}]",
        "strategy.averaging={kind: uniform_soup, size: 5}",
    ),
    "back to the best": (f"strategy.phases=[{{train: [all], until: 25%}}, {HEAD}, {{train: [head], restore: best}}]",),
    "head, all, head": (f"strategy.phases=[{HEAD}, {{train: [all], until: 25%}}, {{train: [head]}}]",),
    "deep, then shallow alone": (
        "strategy.phases=[{train: [head, 'stages[-1]'], until: 50%}, {train: ['stages[-2]']}]",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_changed_weights_are_noticed(folder: Path, name: str) -> None:
    loaded = load(composed().backbone, columns={"image": Image("image", channels=1)}, pretrained=False)
    shake(loaded.module)  # what begins anew has other weights than it had
    save_file(loaded.module.state_dict(), folder / "weights.safetensors")
    words = (
        f"backbone.weights={folder / 'weights.safetensors'}",
        "strategy=fine_tune",
        LONG,
        "strategy.audit='off'",
        *CASES[name],
    )
    reused, plain = run(folder, "always", *words), run(folder, "off", *words)
    assert bool(reused.events) != name.startswith(("ema", "swa"))  # a mean of the backbone is validated: no constant
    same(reused, plain)


def test_a_dropout_that_wakes_up_in_a_later_phase_is_noticed(folder: Path) -> None:
    """XLM drops whole embeddings by a function of its own, as soon as anything of it trains."""
    words = (*XLM, "strategy=fine_tune", f"strategy.phases=[{HEAD}, {{train: [head, 'stages[-1]']}}]")
    reused, plain = run(folder, "always", *words), run(folder, "off", *words)
    same(reused, plain)
