"""Strangers' configuration files and whatever is typed: read, or refused with the file, the key and the reason."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

import tlx
from tests.security.hostile_files import BAD
from tlx.composition import search_path
from tlx.composition.multirun import expand
from tlx.config.errors import ConfigError, ConfigIssue

BASE = ("backbone=pixels", "dataset=digits")
HEAD = "# @package _global_\ndefaults: [{override /backbone: pixels}, {override /dataset: digits}]\n"
OPTION = "# mine\ndefaults: [{/schema/strategy@_here_: phased}, _self_]\nname: mine\nphases: [{train: [head]}]\n"


def refused(words: Sequence[str]) -> list[ConfigIssue]:
    with pytest.raises(ConfigError) as caught:
        tlx.compose(words)
    return caught.value.problems


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("case", BAD)
def test_a_strangers_experiment_is_refused(folder: Path, case: str) -> None:
    body, reason = BAD[case]
    home = "experiments" if len(case) % 2 else "conf/experiment"
    write(folder / home / "mine.yaml", HEAD.encode() + (body if isinstance(body, bytes) else body.encode()))
    found = refused(["experiment=mine"])
    assert any(reason in problem.message for problem in found), found
    assert any("mine.yaml" in f"{problem.key} {problem.where} {problem.message}" for problem in found), found


GROUP_CASES = [name for name in BAD if name not in ("a circle", "not a number", "infinite", "laughs by reference")]


@pytest.mark.parametrize("case", GROUP_CASES)
def test_a_strangers_option_is_refused(folder: Path, case: str) -> None:
    body, reason = BAD[case]
    write(folder / "conf/strategy/mine.yaml", OPTION.encode() + (body if isinstance(body, bytes) else body.encode()))
    found = refused([*BASE, "strategy=mine"])
    told_all = " ".join(f"{problem.key} {problem.where} {problem.message}" for problem in found)
    assert "mine.yaml" in told_all
    assert reason in told_all


@pytest.mark.parametrize("case", ["laughs", "deeper", "a number beyond 64 bits", "a class"])
def test_what_an_option_starts_from_is_vetted_too(folder: Path, case: str) -> None:
    body, reason = BAD[case]
    write(folder / "conf/strategy/parent.yaml", OPTION.encode() + str(body).encode())
    write(folder / "conf/strategy/mine.yaml", "# mine\ndefaults: [parent, _self_]\nname: mine\n")
    for home in ("experiments/own.yaml", "conf/experiment/other.yaml"):
        text = HEAD.replace("]\n", ", {override /strategy: mine}]\n")
        write(folder / home, text)
    for words in ([*BASE, "strategy=mine"], ["experiment=own"], ["experiment=other"]):
        found = refused(words)
        assert "parent.yaml" in " ".join(f"{one.key} {one.where} {one.message}" for one in found)
        assert reason in " ".join(one.message for one in found)


@pytest.mark.parametrize(
    "defaults",
    ["3", "{a: b}", "[[a]]", "[3]", "[{a: {b: c}}]", "[{a: 1, b: 2}]", "[mine]", "[{/strategy: mine}]", "[null]"],
)
def test_a_list_of_defaults_is_one_and_has_an_end(folder: Path, defaults: str) -> None:
    write(folder / "conf/strategy/mine.yaml", f"# mine\ndefaults: {defaults}\nname: mine\n")
    found = refused([*BASE, "strategy=mine"])
    assert "mine.yaml" in " ".join(f"{one.key} {one.where} {one.message}" for one in found)


def test_options_that_start_from_two_each_are_counted(folder: Path) -> None:
    for i in range(30):
        text = f"# mine\ndefaults: [level{i + 1}, twin{i + 1}, _self_]\n" if i < 29 else OPTION
        for name in ("level", "twin"):
            write(folder / f"conf/strategy/{name}{i}.yaml", text)
    found = refused([*BASE, "strategy=level0"])
    assert "starts from more than" in found[0].message


def odd(path: Path, kind: str) -> None:
    """Something that is no regular file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"to nothing": "nowhere", "to itself": path.name, "to a device": "/dev/zero"}[kind])


@pytest.mark.parametrize("kind", ["pipe", "folder", "to nothing", "to itself", "to a device"])
def test_what_is_no_file_is_refused(folder: Path, kind: str) -> None:
    for group in ("strategy", "experiment"):
        odd(folder / f"conf/{group}/odd.yaml", kind)
    odd(folder / "experiments/other.yaml", kind)
    for words in ([*BASE, "strategy=odd"], ["experiment=odd"], ["experiment=other"]):
        assert ".yaml" in " ".join(f"{one.key} {one.message}" for one in refused(words))
    tlx.compose(BASE)  # the others are as before


def test_a_link_to_a_shared_file_is_read(folder: Path) -> None:
    write(folder / "shared/lab.yaml", OPTION + "lr: 0.25\n")
    (folder / "conf/strategy").mkdir(parents=True)
    (folder / "conf/strategy/mine.yaml").symlink_to(folder / "shared/lab.yaml")
    assert tlx.compose([*BASE, "strategy=mine"]).strategy.lr == 0.25


def test_a_variable_of_the_environment_is_read_and_announced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TLX_TEST_NAME", "mine")
    assert tlx.compose([*BASE, "group=${oc.env:TLX_TEST_NAME}"]).group == "mine"
    assert "$TLX_TEST_NAME" in caplog.text


@pytest.mark.parametrize("name", ["HF_TOKEN", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "wandb_api_key", "APIKEY"])
def test_a_secret_is_not_read(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "hidden")
    (problem,) = refused([*BASE, f"group=${{oc.env:{name}}}"])
    assert "secret" in problem.message
    assert "hidden" not in problem.message


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("strategy.phases=" + "[" * 2000 + "]" * 2000, "strategy.phases="),
        ("strategy.phases=" + "[" * 60 + "]" * 60, "strategy.phases"),
        ("strategy.phases=" + "{a:" * 100 + "1" + "}" * 100, "strategy.phases"),
        (f"seed={10**20}", "seed"),
        (f"seed={'9' * 6000}", "seed="),
        ("seed=-1", "seed"),
        (f"strategy.batch_size={10**30}", "strategy.batch_size"),
        (f"strategy.lr={10**400}", "strategy.lr"),
        ("strategy.lr=nan", "strategy.lr"),
        ("dataset.split_seed=4294967296", "dataset.split_seed"),
        ("group=" + "x" * 50_000, "group="),
        ("group='a\0b'", "group="),
        ("group=\udcff", "group="),
        ("strategy.budget='" + "9" * 400 + " epochs'", "strategy.budget"),
        ("reuse.disk='" + "9" * 400 + " GB'", "reuse.disk"),
        ("reuse.augment='views=" + "9" * 5000 + "'", "reuse.augment"),
        ("strategy.phases.².train=[head]", "strategy.phases.²"),
        ("strategy.lr=int(1e400)", "strategy.lr="),
        ("strategy.phases.0.train=['re:(']", "strategy.phases.0.train"),
        ("backbone.alias=" + "x" * 300, "backbone.alias"),
        ("backbone.alias=-x", "backbone.alias"),
        ("backbone.alias=a/b", "backbone.alias"),
        ("dataset.name=" + "x" * 300, "dataset.name"),
        ("strategy.name='a\nb'", "strategy.name"),
        ("output=", "output"),
        ("output=" + "x" * 300, "output"),
        ("output='" + "x/" * 4000 + "'", "output"),
        ("output='~nobody_of_that_name/runs'", "output"),
        ("output=/", "output"),
        ("reuse.folder=''", "reuse.folder"),
        ("reuse.folder='~'", "reuse.folder"),
        ("backbone.weights='" + "x" * 300 + "'", "backbone.weights"),
    ],
    ids=lambda text: text[:24].encode("unicode_escape").decode(),
)  # fmt: skip
def test_a_word_that_nothing_can_take_is_refused(word: str, key: str) -> None:
    found = refused([*BASE, word])
    assert any(problem.key.startswith(key) for problem in found), found


@pytest.mark.parametrize(
    "words",
    [
        ["seed=range(0,1e8)"],
        ["seed=range(0,100000000)"],
        ["seed=shuffle(range(0,100000000))"],
        ["strategy.lr=range(0,1,1e-9)"],
        ["strategy.lr=range(0,1e400)"],
        ["strategy.lr=range(1,0,0)"],
        [f"strategy.lr={','.join(map(str, range(1000)))}", "seed=range(0,1000)", "dataset.shots=range(1,1000)"],
    ],
    ids=lambda words: words[0][:30],
)
def test_a_sweep_too_large_is_refused_before_it_is_written_out(words: list[str]) -> None:
    with pytest.raises(ConfigError):
        expand([*BASE, *words])


def test_the_limit_of_a_sweep_is_a_setting(folder: Path) -> None:
    words = [*BASE, "seed=range(0,5)", "strategy.lr=0.1,0.2"]
    with pytest.raises(ConfigError, match=r"this is 10 trials.*sweep\.max_trials=10"):
        expand([*words, "sweep.max_trials=9"])
    assert len(expand([*words, "sweep.max_trials=10"])) == 10
    write(folder / "experiments/small.yaml", HEAD + "sweep: {max_trials: 3}\n")
    with pytest.raises(ConfigError, match="max_trials = 3"):
        expand(["experiment=small", "seed=range(0,5)"])


def test_a_study_too_large_is_refused(folder: Path) -> None:
    study = "study:\n  question: why\n  control: a\n  axis: strategy.lr\n  arms: {a: {}, b: {}}\n"
    points, seeds = ", ".join(f"0.{i}1" for i in range(80)), ", ".join(map(str, range(80)))
    lists = f"  points: [{points}]\n  seeds: [{seeds}]\n"
    write(folder / "experiments/mine.yaml", HEAD + study + lists)
    (problem,) = refused(["experiment=mine"])
    assert problem.key == "sweep.max_trials"
    assert "12,800 trials" in problem.message
    assert tlx.compose(["experiment=mine", "sweep.max_trials=12800"]).study is not None


yaml_texts = some.recursive(
    some.one_of(
        some.sampled_from(
            ["1", "x", "null", "~", "true", ".nan", "1e400", "2020-13-45", "&a x", "*a", "!!int x", "!!set {a}", "<<",
             "${seed}", "${.a}", "${oc.env:HOME}", "${oc.create:[1]}", "${", "'", '"\\0"', "? a", "- ", "1:59:59",
             "0x" + "f" * 60, "'${a}${a}'", "???", "[", "{"]
        ),
        some.text(max_size=10),
    ),
    lambda inner: some.one_of(
        some.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        some.lists(some.tuples(inner, inner), max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=10,
)  # fmt: skip
keys = some.sampled_from(["defaults", "seed", "strategy", "group", "study", "search", "sweep", "lr", "name", "phases"])
documents = some.lists(some.tuples(keys, yaml_texts), max_size=4).map(
    lambda rows: "".join(f"{key}: {value}\n" for key, value in rows)
)


@given(documents)
@settings(max_examples=max(1, settings().max_examples // 10))  # each is composed by Hydra, twice
@example("defaults: [{override /backbone: [a, b]}]\n")
@example("study: {arms: 3}\n")
@example("strategy: {phases: {a: b}}\n")
@example("strategy: {<<: {lr: 1}}\n")
def test_any_file_is_read_or_refused(folder: Path, text: str) -> None:
    for path, head in (("experiments/mine.yaml", "# @package _global_\n"), ("conf/strategy/mine.yaml", "# mine\n")):
        write(folder / path, (head + text).encode(errors="surrogatepass"))
    for words in (["experiment=mine", *BASE], [*BASE, "strategy=mine"]):
        problems = []
        try:
            tlx.compose(words)
        except ConfigError as error:
            problems = error.problems
        assert all(problem.message for problem in problems)


@given(some.text(max_size=300), some.sampled_from(["strategy", "backbone", "experiment"]))
def test_any_option_is_a_file_of_its_group_or_none(option: str, group: str) -> None:
    found = search_path.find(group, option)
    assert found is None or found.parent.name in (group, "experiments")
