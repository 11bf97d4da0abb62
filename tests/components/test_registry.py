"""Components are found by name; what is not registered, or not said to be possible, is not done."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

import tlx
from tlx.components import registry
from tlx.components.groups import options
from tlx.components.parts import numerics, parts, parts_without
from tlx.components.registry import CAPABILITIES, Component, component, of_group, register
from tlx.config.schema import GROUPS, Trial

BASE = ["backbone=narrow_resnet", "dataset=digits", "tracking=none"]
IMAGES = "dataset=image_table dataset.file=a.csv"
GROUPS_OF_PARTS = ("backbone", "dataset", "task", "peft", "regulariser", "controller", "averaging")
OURS = [one for group in GROUPS_OF_PARTS for one in of_group(group).values()]


@dataclass
class Options:
    """Of a part that nobody has."""

    kind: str = "mine"


@pytest.mark.parametrize("one", OURS, ids=lambda one: f"{one.group}={one.kind}")
def test_ours_are_there(one: Component) -> None:
    for role in one.functions:
        assert callable(one.function(role))
    assert one.function() is getattr(import_module(one.module), one.functions["load"].partition(":")[2])
    assert one.capabilities <= set(CAPABILITIES)


def test_looking_them_up_imports_none_of_their_code() -> None:
    code = "import tlx.components.groups, sys; print({'torch', 'timm', 'hydra', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_a_name_that_is_not_there_is_told_with_the_nearest() -> None:
    with pytest.raises(LookupError, match=r"no dataset=digit.*digits"):
        component("dataset", "digit")
    assert of_group("nothing") == {}
    assert options("nothing") == {}


@pytest.mark.usefixtures("registered")
def test_what_cannot_be_registered() -> None:
    with pytest.raises(ValueError, match="dataset=digits is there already"):
        register("dataset", "digits", Options, "mine:load")
    with pytest.raises(ValueError, match="no dataclass"):
        register("dataset", "mine", int, "mine:load")
    with pytest.raises(ValueError, match=r"no capability 'cachable'.*cacheable"):
        register("dataset", "mine", Options, "mine:load", capabilities=["cachable"])
    assert "mine" not in of_group("dataset")


@pytest.mark.usefixtures("registered")
def test_what_is_registered_is_an_option_of_its_group() -> None:
    register("dataset", "mine", Options, "tests.components.test_registry:Options", numerics=3)
    assert options("dataset")["mine"] is Options
    assert component("dataset", "mine").function() is Options
    assert component("dataset", "mine").capabilities == frozenset()
    assert set(options("dataset")) == set(of_group("dataset"))


def test_every_group_has_options() -> None:
    assert all(options(group) for group in GROUPS)


def trial(*words: str) -> Trial:
    """A trial of these choices."""
    return tlx.compose([*BASE, *words])


def test_a_trial_is_made_of_its_parts() -> None:
    keys = [key for key, _ in parts(trial("strategy=auto_rgn"))]
    assert keys == ["backbone", "dataset", "task", "strategy.controller"]
    assert [part.kind for _, part in parts(trial("strategy=lora"))][-1] == "lora"


@pytest.mark.parametrize(
    ("strategy", "lacks"),
    [
        ("feature_extraction", set()),
        ("lora", {"batchable_head"}),
        ("ema", {"batchable_head", "shardable"}),
        ("l2_sp", {"batchable_head", "shardable"}),
        ("bss", {"batchable_head", "shardable", "compilable"}),
        ("delta", {"batchable_head", "cacheable", "shardable", "compilable"}),
        ("egeria", {"batchable_head", "cacheable", "shardable", "compilable"}),
        ("auto_rgn", {"batchable_head", "shardable"}),
    ],
)
def test_a_trial_can_do_what_all_its_parts_can(strategy: str, lacks: set[str]) -> None:
    made = trial(f"strategy={strategy}")
    assert {name for name in CAPABILITIES if parts_without(made, name)} == lacks


@pytest.mark.usefixtures("registered")
def test_a_new_part_can_do_nothing_until_it_says_so() -> None:
    known = component("regulariser", "l2_sp")
    registry._COMPONENTS["regulariser"]["l2_sp"] = Component(
        "regulariser", "l2_sp", known.config, known.functions, 1, frozenset()
    )
    made = trial("strategy=l2_sp")
    for name in CAPABILITIES:
        assert [(key, part.kind) for key, part in parts_without(made, name)] == [("strategy.regulariser", "l2_sp")]


@pytest.mark.usefixtures("registered")
def test_other_bits_of_a_part_are_another_trial() -> None:
    made = trial("strategy=l2_sp")
    assert numerics(made) == {}
    known = component("regulariser", "l2_sp")
    registry._COMPONENTS["regulariser"]["l2_sp"] = Component(
        "regulariser", "l2_sp", known.config, known.functions, 2, known.capabilities
    )
    assert numerics(made) == {"strategy.regulariser": 2}
    assert numerics(trial("strategy=bss")) == {}


@pytest.mark.parametrize(
    ("strategy", "versions"),
    [
        ("swa", {"strategy.averaging": 2}),
        ("autofreeze", {"strategy.controller": 2}),
        *((name, {}) for name in ("ema", "greedy_soup", "wise_ft", "auto_rgn", "egeria", "fine_tune")),
    ],
)
def test_shipped_parts_whose_bits_have_changed(strategy: str, versions: dict[str, int]) -> None:
    assert numerics(trial(f"strategy={strategy}")) == versions


@pytest.mark.parametrize(
    ("dataset", "versions"),
    [
        ("dataset=digits", {}),
        ("dataset=imagefolder dataset.root=photos", {"dataset.image": 3}),
        ("dataset=digits dataset.duplicates=group", {"dataset.splits": 2}),
        (f"{IMAGES} dataset.split_by=group dataset.group.column=who", {"dataset.image": 3, "dataset.splits": 2}),
        (f"{IMAGES} dataset.split_by=time dataset.time=when", {"dataset.image": 3}),
    ],
)
def test_data_whose_numbers_have_changed(dataset: str, versions: dict[str, int], folder: Path) -> None:
    (folder / "photos").mkdir()
    (folder / "a.csv").touch()
    assert numerics(trial("backbone=pixels", *dataset.split())) == versions


@pytest.mark.parametrize("words", [("task=classification", "task.multilabel=true"), ("dataset.label_separator='|'",)])
def test_weights_of_several_labels_have_changed(folder: Path, words: tuple[str, ...]) -> None:
    file = folder / "rows.csv"
    file.write_text("text,label\n")
    base = ["backbone=narrow_bert", "dataset=csv", f"dataset.file={file}"]
    assert numerics(tlx.compose([*base, *words])) == {}
    assert numerics(tlx.compose([*base, "task.loss.class_weight=auto"])) == {}
    assert numerics(tlx.compose([*base, *words, "task.loss.class_weight=auto"])) == {"task.loss.class_weight": 2}
