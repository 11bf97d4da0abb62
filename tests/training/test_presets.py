"""Every shipped strategy in real trials of a CNN, a ViT and a BERT: what trains, what moves, what stands still."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import tlx
from tests.strategies.architectures import BERT, KNOWN, RESNET, VIT, Architecture
from tests.strategies.conftest import preset
from tests.strategies.test_presets import SHIPPED, SOLVED, TEXTS, oracle
from tests.training.conftest import Compose, Families, Step, Watch
from tlx.cli import main
from tlx.config.errors import ConfigError
from tlx.config.schema import Trial
from tlx.data.module import Loader
from tlx.training.build import build, rebuilt
from tlx.training.locate import locate

KNOWN_HERE = {
    "cnn": Architecture(KNOWN[RESNET].block, ((1, 0), (2, 0), (3, 0), (4, 0)), KNOWN[RESNET].norm, levels=(0, 1, 2, 4)),
    "vit": Architecture(
        KNOWN[VIT].block, ((0,), (1,), (2,), (3,)), KNOWN[VIT].norm, KNOWN[VIT].late, levels=(0, 2, 3, 4)
    ),
    "bert": KNOWN[BERT],
}
STEPS = 20  # a fifth of the oracle's
RUN = (f"strategy.budget={STEPS} steps", "strategy.validate_every=10 steps")
UNPREDICTED = ("half_ft", "autofreeze", "egeria", *SOLVED)  # chance, gradients or a solver decide
CASES = [
    (option, family)
    for i, option in enumerate(name for name in SHIPPED if name not in UNPREDICTED)
    for j, family in enumerate(KNOWN_HERE)
    if (family == "bert" if option in TEXTS else j != i % 3)
]


@pytest.mark.slow
@pytest.mark.parametrize(("option", "family"), CASES)
def test_exactly_what_the_preset_says_moves(
    small: Compose, families: Families, watch: Watch, option: str, family: str
) -> None:
    strategy = replace(preset(option), budget=f"{STEPS} steps", batch_size=16, validate_every="10 steps")
    tlx.train(replace(_composed(small, families, family), strategy=strategy))
    assert [step.number for step in watch.steps] == list(range(STEPS))
    phases = [(round(first * STEPS / 100), trains) for first, trains in oracle(option, KNOWN_HERE[family])]
    for number, (first, trains) in enumerate(phases):
        last = phases[number + 1][0] if number + 1 < len(phases) else STEPS
        names = {name for name in _parameters(watch) if trains(name)}
        for step in watch.steps[first:last]:
            assert step.trains == names
            _only_these_moved(step, names)
        moved = frozenset[str]().union(*(step.moved for step in watch.steps[first:last]))
        assert names <= moved, sorted(names - moved)
    _the_rest_stood_still(watch)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["cnn", "bert"])
def test_half_ft_trains_the_head_and_three_of_five_stages(
    small: Compose, families: Families, watch: Watch, family: str
) -> None:
    tlx.train(small(*families[family], "strategy=half_ft", *RUN, "strategy.phases.0.expand.levels=5"))
    known = KNOWN_HERE[family]
    seen = set()
    for step in watch.steps:
        depths = {known.depth(name) for name in step.trains}
        assert step.trains == {name for name in _parameters(watch) if known.depth(name) in depths}  # whole stages
        assert known.size in depths
        assert len(depths) == 1 + 3
        _only_these_moved(step, set(step.trains))
        seen.add(frozenset(depths))
    assert len(seen) > 1
    _the_rest_stood_still(watch)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["cnn", "vit", "bert"])
@pytest.mark.parametrize("option", ["autofreeze", "egeria"])
def test_controllers_freeze_a_growing_prefix(
    small: Compose, families: Families, watch: Watch, option: str, family: str
) -> None:
    quick = ("strategy.controller.every=2 steps", "strategy.controller.patience=1", "strategy.schedule.shape=constant")
    tlx.train(small(*families[family], f"strategy={option}", *RUN, *quick))
    known, before = KNOWN_HERE[family], 0
    for step in watch.steps:
        first = min(known.depth(name) for name in step.trains)
        assert step.trains == {name for name in _parameters(watch) if known.depth(name) >= first}
        assert first >= before
        _only_these_moved(step, set(step.trains))
        before = first
    assert 0 < before < known.size


@pytest.mark.parametrize("family", ["cnn", "vit", "bert"])
def test_logistic_is_scikit_learns_regression_on_the_features(small: Compose, families: Families, family: str) -> None:
    trial = small(*families[family], "strategy=logistic")
    built = build(trial)
    start = {name: tensor.clone() for name, tensor in built.module.model.state_dict().items()}
    features, labels = _features(built.data.eval_loader("train"), built.module.model)
    result = tlx.train(trial)
    state = rebuilt(locate(trial).path).module.model.state_dict()
    assert result.steps == 0
    assert {name for name in state if not torch.equal(state[name], start[name])} == {"head.weight", "head.bias"}
    own = LogisticRegression(C=1.0, max_iter=10000, tol=1e-8)
    center, spread = features.mean(0), features.std(0)
    spread[spread < 1e-12] = 1
    own.fit((features - center) / spread, labels)
    logits = torch.from_numpy(features) @ state["head.weight"].double().T + state["head.bias"].double()
    theirs = own.predict_proba((features - center) / spread)
    np.testing.assert_allclose(logits.softmax(1).numpy(), theirs, atol=2e-3)  # scikit-learn stops at a tolerance


def test_ridge_is_refused_where_classes_are_predicted(small: Compose, families: Families) -> None:
    with pytest.raises(ConfigError, match="expected gradient or logistic") as caught:
        tlx.train(small(*families["cnn"], "strategy=ridge"))
    assert [problem.key for problem in caught.value.problems] == ["strategy.phases.0.solver"]


def test_several_labels_have_no_exact_solution_and_are_told_what_has_none(folder: Path) -> None:
    Path("t.csv").write_text("x,a,b\n" + "".join(f"{i},{i % 2},{i % 3 % 2}\n" for i in range(40)))
    words = ["backbone=columns", "dataset=tabular", "dataset.file=t.csv", "dataset.labels=[a,b]", "tracking=none"]
    with pytest.raises(ConfigError, match="strategy=feature_extraction trains the head alone"):
        tlx.train(tlx.compose([*words, "strategy=logistic"]))


@pytest.mark.parametrize("option", TEXTS)
@pytest.mark.parametrize("family", ["cnn", "vit"])
def test_virtual_tokens_are_refused_on_images(
    small: Compose, families: Families, option: str, family: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=r"strategy\.peft\.kind"):
        tlx.train(small(*families[family], f"strategy={option}"))
    words = ["backbone=narrow_resnet", "dataset=digits", "tracking=none"] if family == "cnn" else []
    words = words or [*families["vit"], "dataset=digits", "tracking=none"]
    assert main(["train", *words, f"strategy={option}"]) == 2
    assert "strategy.peft.kind" in capsys.readouterr().err


def _parameters(watch: Watch) -> set[str]:
    assert watch.learner is not None
    return {name for name, _ in watch.learner.model.named_parameters()}


def _only_these_moved(step: Step, names: set[str]) -> None:
    """Of the parameters none but these, of the buffers only those of a module that holds one of these."""
    homes = {name.rpartition(".")[0] for name in names}
    for name in step.moved - names:
        assert "running" in name or "num_batches" in name, name
        assert name.rpartition(".")[0] in homes, name


def _the_rest_stood_still(watch: Watch) -> None:
    """Whatever never trained, and every buffer beside it, has at the end of the trial the bits of its beginning."""
    ever = frozenset[str]().union(*(step.trains for step in watch.steps))
    homes = {name.rpartition(".")[0] for name in ever}
    start, end = watch.start, watch.model
    assert end.keys() == start.keys()
    fixed = {n for n in end if n not in ever and (n in _parameters(watch) or n.rpartition(".")[0] not in homes)}
    assert not [name for name in fixed if not torch.equal(end[name], start[name])]


_TRIALS: dict[str, Trial] = {}  # composing takes longer than training


def _composed(small: Compose, families: Families, family: str) -> Trial:
    if family not in _TRIALS:
        _TRIALS[family] = small(*families[family], "strategy=fine_tune")
    return _TRIALS[family]


def _features(loader: Loader, model: Any) -> tuple[Any, Any]:
    model.eval()
    rows, labels = [], []
    with torch.no_grad():
        for batch in loader:
            rows.append(model.features(batch.inputs).double())
            labels.append(batch.targets["label"])
    return torch.cat(rows).numpy(), torch.cat(labels).numpy()
