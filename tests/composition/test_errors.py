"""Mistakes on the command line: each a problem with its key, its value and the nearest right choice, told at once."""

from __future__ import annotations

import pytest

import tlx
from tests.composition.told import BASE, problems, the_problem
from tlx.config.errors import ConfigError, ConfigIssue, suggest


@pytest.mark.parametrize(
    ("words", "key", "value", "message"),
    [
        ("strategy.batchsize=8", "strategy.batchsize", 8, "unknown key; did you mean strategy.batch_size?"),
        ("sead=1", "sead", 1, "unknown key; did you mean seed?"),
        ("backbne=vit_tiny", "backbne", "vit_tiny", "unknown key; did you mean backbone?"),
        ("strategy.optimizer.nam=sgd", "strategy.optimizer.nam", "sgd", "did you mean strategy.optimizer.name?"),
        ("strategy.phases.0.trian=[head]", "strategy.phases.0.trian", ["head"], "mean strategy.phases.0.train?"),
        ("strategy.phases.7.lr_scale=1", "strategy.phases.7.lr_scale", 1, "unknown key"),
        ("dataset.root=photos", "dataset.root", "photos", "it is a setting of dataset=imagefolder: write"),
        ("+junk=1", "junk", 1, "unknown key; a trial has backbone, callbacks, checkpoint, dataset, "),
        ("++junk=1", "junk", 1, "unknown key"),
        ("+strategy.optimizer.junk=1", "strategy.optimizer.junk", 1, "strategy.optimizer has args, momentum, name"),
        ("backbone.args.depth=3", "backbone.args.depth", 3, "add it with +backbone.args.depth=3"),
    ],
)
def test_an_unknown_key(words: str, key: str, value: object, message: str) -> None:
    problem = the_problem([*BASE, words])
    assert (problem.key, problem.value, problem.where) == (key, value, "")
    assert message in problem.message


@pytest.mark.parametrize(
    ("words", "value", "expected"),
    [
        ("strategy.lr=fast", "fast", "a number"),
        ("seed=1.5", 1.5, "a whole number"),
        ("seed=x", "x", "a whole number"),
        ("backbone.input.size=big", "big", "a whole number"),
        ("strategy.lr=null", None, "wrong type"),
        ("strategy.phases.0.train=head", "head", "wrong type"),
        ("strategy.optimizer=3", 3, "wrong type"),
        ("strategy.lr=[1]", [1], "wrong type"),
        ("seed={a: 1}", {"a": 1}, "wrong type"),
    ],
)
def test_a_wrong_type(words: str, value: object, expected: str) -> None:
    problem = the_problem([*BASE, words])
    key = words.partition("=")[0]
    assert problem.key.startswith(key)
    assert problem.value == value
    assert expected in problem.message


@pytest.mark.parametrize(
    ("words", "key", "expected"),
    [
        ("study={question: q, axis: seed, control: a, seeds: [1, [2]]}", "study.seeds.1", "a whole number"),
        ("strategy.lr_mult={head: [1]}", "strategy.lr_mult.head", "a number"),
        ("strategy.phases=[{train: [[head]]}]", "strategy.phases.0.train.0", "a word"),
        ("strategy.phases=[{train: [head], lr_mult: {head: {a: 1}}}]", "strategy.phases.0.lr_mult.head", "a number"),
        ("backbone.stages=[{a: 1}]", "backbone.stages.0", "a word"),
    ],
)
def test_a_list_among_numbers_or_words(words: str, key: str, expected: str) -> None:
    problem = the_problem([*BASE, words])
    assert (problem.key, problem.message) == (key, f"wrong type: expected {expected}")


def test_keys_of_a_free_mapping_within_a_part_are_taken() -> None:
    trial = tlx.compose([*BASE, "strategy.optimizer={name: sgd, args: {nesterov: true}}"])
    assert trial.strategy.optimizer.args == {"nesterov": True}


def test_a_boolean_says_so() -> None:
    problem = the_problem([*BASE, "task=classification", "task.multilabel=perhaps"])
    assert (problem.key, problem.value) == ("task.multilabel", "perhaps")
    assert "true or false" in problem.message


@pytest.mark.parametrize(
    ("words", "choices", "hint"),
    [
        ("strategy.keep=lst", "best, last", "did you mean last?"),
        ("strategy.phases.0.solver=magic", "gradient, logistic", ""),
        ("hardware.precision=bf16-mix", "bf16-mixed", "did you mean bf16-mixed?"),
        ("tracking.kind=wandb", "mlflow, none", ""),
        ("dataset.augment=shfit", "none, shift, flip_crop", "did you mean shift?"),
    ],
)
def test_a_word_that_is_not_a_choice(words: str, choices: str, hint: str) -> None:
    problem = the_problem([*BASE, words])
    assert (problem.key, problem.value) == tuple(words.split("="))
    assert choices in problem.message
    assert hint in problem.message


@pytest.mark.parametrize(
    ("group", "option", "hint"),
    [
        ("backbone", "resnet81", "did you mean resnet18?"),
        ("backbone", "xcit_nano_12_p16_22", "did you mean xcit_nano_12_p16_224?"),  # timm's, no file
        ("dataset", "digit", "did you mean digits?"),
        ("strategy", "fine-tune", "did you mean fine_tune?"),
        ("hardware", "cpus", "did you mean cpu?"),
        ("tracking", "mlfow", "did you mean mlflow?"),
        ("task", "zzz", ""),
        ("experiment", "quikstart", "did you mean quickstart?"),
        ("backbone", "../strategy/lp_ft", ""),
    ],
)
def test_an_option_that_is_not_there(group: str, option: str, hint: str) -> None:
    problem = the_problem([*BASE, f"{group}={option}"])
    assert (problem.key, problem.value) == (group, option)
    assert "not an option" in problem.message
    assert hint in problem.message
    assert f"tlx list {group}" in problem.message


@pytest.mark.parametrize("missing", ["backbone", "dataset"])
@pytest.mark.parametrize("how", ["", "{}=", "{}=null"], ids=["left out", "empty", "null"])
def test_a_required_group_not_chosen(missing: str, how: str) -> None:
    rest = [word for word in BASE if not word.startswith(missing)]
    problem = the_problem([*rest, how.format(missing)] if how else rest)
    assert problem.key == missing
    assert f"{missing}=<name>" in problem.message
    assert f"tlx list {missing}" in problem.message


def test_nothing_asked_for_at_all() -> None:
    assert [problem.key for problem in problems([])] == ["backbone", "dataset"]


@pytest.mark.parametrize(("name", "hint"), [("adamm", "did you mean adam?"), ("zzz", "torch and timm have adam")])
def test_an_unknown_optimizer(name: str, hint: str) -> None:
    problem = the_problem([*BASE, f"strategy.optimizer.name={name}"])
    assert (problem.key, problem.value) == ("strategy.optimizer.name", name)
    assert hint in problem.message


def test_all_problems_are_told_at_once_and_nothing_else() -> None:
    words = ["backbone=resnet81", "dataset=digits", "seed=x", "+junk=1", "strategy.keep=worst", "strategy.batch_size=0"]
    found = problems([*words, "oops", "hardware=gpuu"])
    assert {problem.key for problem in found} == {
        "backbone", "seed", "junk", "strategy.keep", "strategy.batch_size", "oops", "hardware",
    }  # fmt: skip
    assert len(found) == 7


def test_the_block_is_a_line_for_each() -> None:
    with pytest.raises(ConfigError) as caught:
        tlx.compose(["backbone=resnet81", "dataset=digits", "strategy.lr=fast"])
    assert str(caught.value).splitlines() == [
        "tlx: 2 problems in this configuration",
        "  backbone = resnet81  not an option; did you mean resnet18? (tlx list backbone)",
        "  strategy.lr = fast   wrong type: expected a number, such as strategy.lr=0.001",
    ]


def test_one_problem_is_a_singular() -> None:
    with pytest.raises(ConfigError, match=r"^tlx: 1 problem in this configuration\n  seed = x  ") as caught:
        tlx.compose([*BASE, "seed=x"])
    assert len(str(caught.value).splitlines()) == 2


def test_the_same_problem_twice_is_told_once() -> None:
    twice = [ConfigIssue("seed", "wrong", 1), ConfigIssue("seed", "wrong", 1), ConfigIssue("seed", "wrong", 2)]
    assert [problem.value for problem in ConfigError(twice).problems] == [1, 2]


def test_the_place_of_a_mistake_is_in_the_block() -> None:
    assert ConfigError([ConfigIssue("seed", "wrong", 1, "a.yaml:3")]).block().endswith("seed = 1  wrong  [a.yaml:3]")


def test_only_a_close_word_is_suggested() -> None:
    assert suggest("sead", ["seed", "group"]) == "; did you mean seed?"
    assert suggest("sead", ["seed"], "a.") == "; did you mean a.seed?"
    assert suggest("zzz", ["seed", "group"]) == ""


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["strategy.phases.0.plateau={patience: 0}"], "strategy.phases.0.plateau.patience"),
        (["strategy.phases.0.threshold={value: inf}"], "strategy.phases.0.threshold.value"),
        (["strategy.lr_mult={norm: -1}"], "strategy.lr_mult.norm"),
        (["strategy=bss", "strategy.regulariser.smallest=0"], "strategy.regulariser.smallest"),
        (["strategy=ema", "strategy.averaging.decay=1.5"], "strategy.averaging.decay"),
        (["strategy=swa", "strategy.averaging.start=rest"], "strategy.averaging.start"),
        (["strategy=wise_ft", "strategy.averaging.alphas=[]"], "strategy.averaging.alphas"),
        (["strategy=wise_ft", "strategy.averaging.norms=new"], "strategy.averaging.norms"),
        (
            ["strategy=wise_ft", "strategy.averaging.norms=refresh", "hardware.distributed=fsdp"],
            "strategy.averaging.norms",
        ),
        (["strategy=autofreeze", "strategy.controller.percentile=150"], "strategy.controller.percentile"),
        (["strategy=lora", "strategy.init=scratch"], "strategy.init"),
        (["strategy=lora", "strategy.peft.target=['(']"], "strategy.peft.target"),
        (["strategy=logistic", "strategy.averaging={kind: ema}"], "strategy.averaging.kind"),
        (["strategy=egeria", "hardware.compile=true"], "strategy.controller.kind"),
        (["strategy=llrd", "strategy.lr_shallow=1e-5"], "strategy.layer_decay"),
        (["strategy.lr=inf"], "strategy.lr"),
        (["backbone.drop_path=1.5"], "backbone.drop_path"),
    ],
)
def test_the_parts_of_a_strategy_are_checked(words: list[str], key: str) -> None:
    start = [] if words[0].startswith("strategy=") else ["strategy=fine_tune"]
    problem = the_problem(["backbone=narrow_resnet", "dataset=digits", *start, *words])
    assert problem.key == key


def test_an_optional_part_is_given_as_a_mapping() -> None:
    trial = tlx.compose([*BASE, "strategy.averaging={kind: swa}", "strategy.phases.0.plateau={patience: 5}"])
    assert trial.strategy.averaging is not None
    assert (trial.strategy.averaging.kind, trial.strategy.averaging.size) == ("swa", 3)
    assert trial.strategy.phases[0].plateau is not None
    assert trial.strategy.phases[0].plateau.patience == 5
