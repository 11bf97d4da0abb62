"""Parts written outside of tlx are registered, train, and are held to their contracts; ours keep them, too."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_diabetes

import tlx
import tlx.columns as columns_package
from tests.testing import column_parts, parts, whole_parts
from tlx.columns import KINDS, Label
from tlx.components.registry import register
from tlx.config.errors import ConfigError
from tlx.planning.trial_plan import plan_trial
from tlx.runs import layout
from tlx.testing import check_backbone, check_dataset, check_task
from tlx.training.locate import locate
from tlx.training.network import trained

WHOLE, COLUMN = "tests.testing.whole_parts", "tests.testing.column_parts"
HERE, PRINT = "tests.testing.parts", "tests.testing.parts:moons_fingerprint"
ANY = {"trainable", "cacheable", "resumable", "compilable"}
MOONS = ["dataset=moons", "dataset.count=60"]
FEW = ["tracking=none", "strategy.budget=6 steps", "strategy.validate_every=2 steps", "strategy.batch_size=8"]


@pytest.fixture(autouse=True)
def _strangers(_registered: None) -> None:
    """Everything that a stranger has written."""
    register("dataset", "moons", parts.Moons, f"{HERE}:moons", capabilities=ANY, fingerprint=PRINT)
    tlx.register.backbone("fourier", config=parts.Fourier, load=f"{HERE}:fourier", capabilities=ANY)
    tlx.register.task("ordering", config=parts.Ordering, load=f"{HERE}:ordering", capabilities=ANY)
    tlx.register.loss("exponential", config=parts.Exponential, load=f"{HERE}:exponential", capabilities=ANY)
    tlx.register.metric("confidence", config=parts.Confidence, load=f"{HERE}:confidence", capabilities=ANY)


def test_a_stranger_s_parts_keep_their_contracts() -> None:
    check_dataset("moons", {"count": 60})
    check_dataset("moons", {"count": 60, "angle": True})
    check_backbone("fourier", {"width": 8}, MOONS)
    check_task("ordering", None, [*MOONS, "backbone=fourier"])


@pytest.mark.parametrize(
    ("load", "reason"), [("drawn_anew", "the values of 'x' differ"), ("twice", "an example is in two splits")]
)
def test_a_data_set_that_breaks_its_contract_is_told(load: str, reason: str) -> None:
    register("dataset", "broken", parts.BrokenMoons, f"{HERE}:{load}", capabilities=ANY, fingerprint=PRINT)
    with pytest.raises(AssertionError, match=reason):
        check_dataset("broken", {"count": 60})


@pytest.mark.parametrize(("load", "reason"), [("batchwise", "depend on its batch"), ("too_wide", r"expected \[3, 9\]")])
def test_a_backbone_that_breaks_its_contract_is_told(load: str, reason: str) -> None:
    tlx.register.backbone("broken", config=parts.BrokenFourier, load=f"{HERE}:{load}", capabilities=ANY)
    with pytest.raises(AssertionError, match=reason):
        check_backbone("broken", {"width": 8}, MOONS)


@pytest.mark.parametrize(
    ("load", "reason"), [("summed", "is not the mean over its parts"), ("forgetful", r"declares \[.*misses")]
)
def test_a_task_that_breaks_its_contract_is_told(load: str, reason: str) -> None:
    tlx.register.task("broken", config=parts.BrokenOrdering, load=f"{HERE}:{load}", capabilities=ANY)
    with pytest.raises(AssertionError, match=reason):
        check_task("broken", None, [*MOONS, "backbone=fourier"])


def test_everything_of_a_stranger_s_trains_together(tmp_path: Path) -> None:
    words = [*MOONS, "backbone=fourier", "strategy=lp_ft", *FEW, f"output={tmp_path}"]
    words += ["task.loss.exponential={sharpness: 0.5}", "task.metrics.confidence={}", "task.primary_metric=confidence"]
    trial = tlx.compose(words)
    result = tlx.train(trial)
    assert result.primary is not None
    assert (result.primary.name, result.primary.goal) == ("confidence", "min")
    rows = [json.loads(line) for line in (locate(trial).path / layout.PREDICTIONS).read_text().splitlines()]
    found = result.metrics["test/confidence"]
    assert found is not None
    assert math.isclose(found, sum(max(row["probabilities"]) for row in rows) / len(rows), rel_tol=1e-4)


def test_a_loss_of_ones_own_is_what_training_descends(tmp_path: Path) -> None:
    words = [*MOONS, "backbone=fourier", "strategy=fine_tune", *FEW, f"output={tmp_path}"]
    plain, own = (tlx.compose([*words, *more]) for more in ([], ["task.loss.exponential={}"]))
    assert locate(plain).identity != locate(own).identity
    assert tlx.train(plain).metrics != tlx.train(own).metrics
    targets = [Label("moon", classes=("left", "right"))]
    outputs, target = torch.randn(5, 2, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1])
    loss = parts.exponential(parts.Exponential(0.5), targets)(outputs, target)
    by_hand = [math.exp(-0.5 * float(row[t] - row.mean())) for row, t in zip(outputs, target, strict=True)]
    assert torch.allclose(loss, torch.tensor(by_hand, dtype=torch.float64))


def test_options_that_nothing_reads_beside_somebodys_loss_are_refused() -> None:
    words = ["backbone=narrow_resnet", "dataset=digits", *FEW, "task.loss.exponential={}"]
    with pytest.raises(ConfigError, match=r"task\.loss\.class_weight.*nothing reads it beside task\.loss\.exponential"):
        tlx.train(tlx.compose([*words, "task.loss.class_weight=auto", "task.loss.label_smoothing=0.1"]))


def test_what_a_stranger_may_not_claim() -> None:
    with pytest.raises(ValueError, match="say kind='moons'"):
        register("dataset", "other", parts.Moons, f"{HERE}:moons")
    for group in ("loss", "metric"):
        with pytest.raises(ValueError, match="heads side by side"):
            getattr(tlx.register, group)("other", config=parts.Confidence, load="a:b", capabilities={"batchable_head"})


def test_options_of_a_stranger_are_checked_as_ours(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dataset\.count"):
        tlx.compose([*MOONS, "dataset.count=0", "backbone=fourier"])
    with pytest.raises(ConfigError, match=r"dataset\.cuont"):
        tlx.compose([*MOONS, "dataset.cuont=3", "backbone=fourier"])
    with pytest.raises(ConfigError, match="moons"):
        tlx.compose(["dataset=mons", "backbone=fourier"])


@pytest.mark.parametrize("kind", ["columns", "mlp"])
def test_our_backbones_of_tables_keep_the_contract(kind: str) -> None:
    check_backbone(kind, None if kind == "columns" else {"name": "mlp", "width": 8, "hidden": 8}, MOONS)


def test_our_data_sets_keep_the_contract(tmp_path: Path) -> None:
    check_dataset("digits", {"shots": 4})
    load_diabetes(as_frame=True).frame.to_csv(tmp_path / "diabetes.csv", index=False)
    options = {"file": str(tmp_path / "diabetes.csv"), "modality": "table", "label": "target", "label_type": "number"}
    check_dataset("table", options)


def test_our_tasks_keep_the_contract() -> None:
    for kind in ("classification", "auto"):
        check_task(kind, None, ["dataset=moons", "backbone=fourier"])
    check_task("classification", {"loss": {"kind": "focal", "class_weight": "auto"}}, [*MOONS, "backbone=fourier"])
    check_task("regression", None, [*MOONS, "dataset.angle=true", "backbone=fourier"])
    check_task("regression", {"loss": {"kind": "quantile"}}, [*MOONS, "dataset.angle=true", "backbone=columns"])


@pytest.mark.long
def test_our_backbones_of_images_and_texts_keep_the_contract() -> None:
    check_backbone("pixels")
    check_backbone("timm", {"name": "test_vit3", "weights": "none", "input": {"size": 32}, "args": {"img_size": 32}})
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    options = {"name": "bert", "architecture": "bert", "settings": {**sizes, "max_position_embeddings": 64}}
    check_backbone("bytes", options, ["dataset=docstrings", "dataset.shots=2"])


@pytest.mark.parametrize("strategy", ["feature_extraction", "gradual_unfreezing", "lp_ft", "llrd", "ema"])
def test_a_model_that_owns_its_loss_is_trained_by_any_strategy(
    strategy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    can = {"trainable", "resumable"}
    tlx.register.backbone("prototypes", config=whole_parts.Prototypes, load=f"{WHOLE}:prototypes", capabilities=can)
    tlx.register.task("nearest", config=whole_parts.Nearest, load=f"{WHOLE}:nearest", capabilities=can)
    words = [*MOONS, "backbone=prototypes", "task=nearest", f"strategy={strategy}", *FEW, f"output={tmp_path}"]
    result = tlx.train(tlx.compose(words))
    stages = [stage.name for stage in plan_trial(tlx.compose(words)).stages]
    assert stages == ["stem", "body", "head"]
    assert (result.trained < result.parameters) == (strategy == "feature_extraction")
    hits = result.metrics["test/hits"]
    assert hits is not None
    rows = [json.loads(one) for one in (tmp_path / result.folder / layout.PREDICTIONS).read_text().splitlines()]
    assert {row["prediction"] for row in rows} <= {"left", "right"}
    if strategy == "lp_ft":
        check_task("nearest", None, [*MOONS, "backbone=prototypes"])


def test_a_task_is_told_that_a_backbone_has_not_what_it_needs() -> None:
    tlx.register.backbone("prototypes", config=whole_parts.Prototypes, load=f"{WHOLE}:prototypes", capabilities=ANY)
    tlx.register.task("nearest", config=whole_parts.Nearest, load=f"{WHOLE}:nearest", capabilities=ANY)
    for words, reason in (
        (["backbone=fourier", "task=nearest"], "gives vector; task=nearest needs whole"),
        (["backbone=prototypes", "task=classification"], "gives whole; task=classification needs vector"),
    ):
        with pytest.raises(ConfigError, match=reason):
            plan_trial(tlx.compose([*MOONS, *words]))


def test_a_kind_of_column_of_ones_own_is_read_kept_and_trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tlx.columns.KINDS", dict(KINDS))
    monkeypatch.setattr("tlx.data.schema_file.KINDS", columns_package.KINDS)
    columns_package.register(column_parts.Angle)
    with pytest.raises(ValueError, match="of the kind 'angle' already"):
        columns_package.register(type("Other", (column_parts.Angle,), {}))
    print_ = f"{COLUMN}:winds_fingerprint"
    register("dataset", "winds", column_parts.Winds, f"{COLUMN}:winds", capabilities=ANY, fingerprint=print_)
    tlx.register.backbone("compass", config=column_parts.Compass, load=f"{COLUMN}:compass", capabilities=ANY)
    check_dataset("winds", trial=["backbone=compass"])
    check_backbone("compass", trial=["dataset=winds"])
    words = ["dataset=winds", "backbone=compass", "strategy=lp_ft", *FEW, f"output={tmp_path}"]
    trial = tlx.compose(words)
    tlx.train(trial)
    assert trained(locate(trial).path).schema.inputs == {"from": column_parts.Angle("from")}
