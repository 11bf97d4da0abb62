"""A run folder stands alone: its network comes back bit for bit when data, checkpoint, cache and place are gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import tlx
from tests.conftest import Said
from tests.training.conftest import Compose, Families, State, Watch
from tlx.config import output
from tlx.config.errors import ConfigError, WeightsError
from tlx.config.schema import Trial
from tlx.files import durable
from tlx.runs import layout, removal
from tlx.runs import result as results
from tlx.serving import bundle
from tlx.training import frozen, packing
from tlx.training.locate import locate
from tlx.training.network import trained
from tlx.training.rebuild import parameters_and_buffers

CASES = {
    "everything trained": ("cnn", "strategy=fine_tune"),
    "head alone": ("cnn", "strategy=feature_extraction"),
    "from nothing": ("vit", "strategy=feature_extraction"),
    "adapters": ("bert", "strategy=lora"),
    "texts": ("bert", "strategy=feature_extraction"),
}


def tensors(where: Path) -> State:
    return {name: tensor.detach().clone() for name, tensor in parameters_and_buffers(trained(where).model).items()}


def same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def run(trial: Trial) -> Path:
    tlx.train(trial)
    return locate(trial).path


def facts(where: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((where / layout.FROZEN).read_text())
    return found


@pytest.fixture
def base(families: Families, folder: Path) -> Path:
    """The checkpoint of the small CNN, in a place of its own."""
    source = families["cnn"][0].removeprefix("backbone.weights=")
    return Path(shutil.copy(source, folder / "base.safetensors"))


@pytest.mark.parametrize("case", CASES)
def test_a_moved_folder_gives_the_network_that_was_trained(
    small: Compose, families: Families, folder: Path, watch: Watch, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, strategy = CASES[case]
    words = list(families[family])
    places = {word.partition("=")[2] for word in words if word.startswith(("backbone.name=/", "backbone.weights=/"))}
    for i, place in enumerate(sorted(places)):  # copies, to be removed
        (shutil.copytree if Path(place).is_dir() else shutil.copy)(place, folder / f"base{i}.safetensors")
        words = [word.replace(place, str(folder / f"base{i}.safetensors")) for word in words]
    where = run(small(*words, strategy, "strategy.keep=last"))
    assert watch.learner is not None
    ended, mode = parameters_and_buffers(watch.learner.model), (where / layout.FROZEN_TENSORS).exists()
    shutil.move(where, folder / "elsewhere")
    for copied in folder.glob("base*.safetensors"):
        shutil.rmtree(copied) if copied.is_dir() else copied.unlink()
    monkeypatch.setenv("HF_HOME", str(folder / "nothing"))
    before = torch.get_rng_state()
    assert same(tensors(folder / "elsewhere"), dict(ended))
    assert torch.equal(torch.get_rng_state(), before)
    known = facts(folder / "elsewhere")
    frozen = {name for name, one in watch.learner.model.named_parameters() if name not in watch.learner.state.trained}
    assert known["tensors"] == len(frozen)
    assert known["stored"] is mode is bool(frozen)
    assert known["bytes"] == sum(ended[name].numel() * ended[name].element_size() for name in frozen)
    assert (folder / "elsewhere" / layout.ARCHITECTURE).is_dir() is (family == "bert")


def test_what_is_referred_to_is_named_when_it_is_gone_and_checked_when_it_is_there(
    small: Compose, base: Path, folder: Path
) -> None:
    words = (f"backbone.weights={base}", "strategy=feature_extraction", "checkpoint.frozen=referenced")
    where = run(small(*words))
    known, wanted = facts(where), tensors(where)
    assert not (where / layout.FROZEN_TENSORS).exists()
    base.rename(folder / "kept")
    with pytest.raises(WeightsError) as refused:
        trained(where)
    for part in (str(base), str(known["sum"]), "no such file", f"tlx export {where} --whole"):
        assert part in str(refused.value).replace("\n", " ")
    state = load_file(folder / "kept")
    state["conv1.weight"][0, 0, 0, 0] += 1
    save_file(state, base)
    with pytest.raises(WeightsError, match="other bits"):
        trained(where)
    shutil.copy(folder / "kept", base)
    assert same(tensors(where), wanted)


def test_texts_refer_to_the_folder_of_their_backbone(small: Compose, families: Families, folder: Path) -> None:
    place = next(word.partition("=")[2] for word in families["bert"] if word.startswith("backbone.name="))
    shutil.copytree(place, folder / "bert")
    words = [word.replace(place, str(folder / "bert")) for word in families["bert"]]
    where = run(small(*words, "strategy=feature_extraction", "checkpoint.frozen=referenced"))
    wanted = tensors(where)
    (folder / "bert").rename(folder / "kept")
    with pytest.raises(WeightsError, match="tensors"):
        trained(where)
    (folder / "kept").rename(folder / "bert")
    assert same(tensors(where), wanted)
    again = small(*words, "strategy=feature_extraction", f"strategy.init=run:{where}", "checkpoint.frozen=referenced")
    assert tensors(run(again)).keys() == wanted.keys()  # which refers to a run that refers to a folder


def test_a_folder_of_the_users_in_its_place_is_told_of_before_anything_is_trained(
    small: Compose, families: Families, watch: Watch
) -> None:
    trial = small(*families["bert"], "strategy=feature_extraction")
    place = locate(trial).path / layout.ARCHITECTURE
    output.claim(trial.output)
    place.mkdir(parents=True)
    (place / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"mine\.txt; tlx writes this folder"):
        tlx.train(trial)
    assert not watch.steps
    assert (place / "mine.txt").read_text() == "mine"


def test_a_run_is_packed_where_its_weights_are(small: Compose, base: Path, folder: Path, said: Said) -> None:
    words = (f"backbone.weights={base}", "strategy=feature_extraction", "checkpoint.frozen=referenced")
    trial = small(*words)
    where = run(trial)
    wanted = tensors(where)
    text = said("export", str(where), "--whole", "--out", "theirs")
    assert f"{facts(where)['tensors']} tensors that never trained" in text
    assert not (where / layout.FROZEN_TENSORS).exists()
    said("export", str(where), "--whole")
    assert "every tensor of its network was there" in said("export", str(where), "--whole")
    identity = locate(trial).identity
    base.unlink()
    for place in (where, folder / "theirs"):
        assert results.read_result(place).identity == identity
        assert same(tensors(place), wanted)
    assert not removal.obstacle(where)
    assert {path.name for path in (folder / "theirs").iterdir()} == {path.name for path in where.iterdir()} - {"lock"}
    with pytest.raises(ConfigError, match="a new or an empty folder"):
        packing.copy(where, folder / "theirs")
    for more in (("--to", "onnx"), ("--register", "birds")):
        said("export", str(where), "--whole", *more, code=2)


def test_packing_that_is_killed_leaves_a_whole_folder(
    small: Compose, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = run(small(f"backbone.weights={base}", "strategy=feature_extraction", "checkpoint.frozen=referenced"))
    wanted, written = tensors(where), durable.write
    for name in ("write_tensors", "write_facts"):
        with monkeypatch.context() as patch:
            patch.setattr(frozen, name, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                packing.pack(where)
        assert results.result_in(where) is not None
        assert same(tensors(where), wanted)
    calls = []

    def second(path: Path, content: str | bytes) -> None:
        calls.append(path.name)
        if calls.count(layout.RESULT) == 2:
            raise KeyboardInterrupt
        written(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "write", second)
        with pytest.raises(KeyboardInterrupt):
            packing.pack(where)
    assert results.result_in(where) is not None
    assert same(tensors(where), wanted)


def photos(folder: Path, names: tuple[str, ...] = ("blue", "green", "red")) -> None:
    for i, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for k in range(10):
            pixels = np.zeros((8, 8, 3), np.uint8)
            pixels[..., i] = 120 + 10 * k
            Image.fromarray(pixels).save(folder / name / f"{k}.png")


def test_classes_and_answers_are_those_of_the_run_whatever_becomes_of_the_data(folder: Path, said: Said) -> None:
    photos(folder / "photos")
    words = ["backbone=pixels", "strategy=logistic", "dataset=imagefolder", "dataset.root=photos", "tracking=none"]
    trial = tlx.compose(words)
    where = run(trial)
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 2] = 200
    before = tlx.load(where).predict([red])
    assert before[0]["prediction"] == "red"
    (folder / "photos" / "blue").rename(folder / "photos" / "zblue")
    assert tlx.load(where).predict([red]) == before
    shutil.rmtree(folder / "photos")
    assert tlx.load(where).predict([red]) == before
    assert list(before[0]["probabilities"]) == ["blue", "green", "red"]
    assert "could not run again here" in said("why", str(where))
    for verb in (["diff", str(where), str(where)], ["export", str(where), "--whole"]):
        said(*verb)


def test_the_backbone_of_a_run_folder(small: Compose, base: Path, folder: Path) -> None:
    where = run(small(f"backbone.weights={base}", "strategy=fine_tune"))
    wanted = tensors(where)
    shutil.copytree(where, folder / "copy")
    trials = [small("strategy=logistic", f"backbone.weights=run:{place}") for place in (where, folder / "copy")]
    assert locate(trials[0]).identity == locate(trials[1]).identity
    found = tensors(run(trials[1]))
    assert all(torch.equal(found[name], wanted[name]) for name in wanted if name.startswith("backbone."))
    (folder / "copy" / layout.RESULT).unlink()
    for verb in (tlx.train, locate):
        with pytest.raises(WeightsError, match="not finished"):
            verb(trials[1])


def test_a_trial_begins_from_the_whole_model_of_a_run(small: Compose, base: Path, folder: Path, watch: Watch) -> None:
    where = run(small(f"backbone.weights={base}", "strategy=fine_tune"))
    wanted = tensors(where)
    shutil.copytree(where, folder / "copy")
    base.unlink()
    words = ("strategy=fine_tune", "strategy.budget=2 steps", "seed=0")
    trials = [small(*words, f"strategy.init=run:{place}") for place in (where, folder / "copy")]
    assert locate(trials[0]).identity == locate(trials[1]).identity != locate(small(*words)).identity
    watch.steps.clear()
    run(trials[1])
    begun = {name: watch.steps[0].before[name] for name in wanted}
    assert same(begun, wanted)


def test_a_part_that_begins_anew_is_drawn(small: Compose, base: Path, watch: Watch) -> None:
    where = run(small(f"backbone.weights={base}", "strategy=fine_tune"))
    wanted = tensors(where)
    watch.steps.clear()
    phases = "[{train: [all], reinit: [head]}]"
    run(small("strategy=fine_tune", f"strategy.init=run:{where}", f"strategy.phases={phases}"))
    before = watch.steps[0].before
    moved = {name for name in wanted if not torch.equal(before[name], wanted[name])}
    assert {"head.weight"} <= moved <= {"head.weight", "head.bias"}


def test_other_classes_are_refused_by_plan_and_train_alike(folder: Path, said: Said) -> None:
    from tlx.cli import main

    photos(folder / "photos")
    photos(folder / "others", ("blue", "green", "yellow"))
    base = ["backbone=pixels", "strategy=feature_extraction", "dataset=imagefolder", "strategy.budget=2 steps"]
    where = run(tlx.compose([*base, "dataset.root=photos", "tracking=none"]))
    words = [*base, "dataset.root=others", "tracking=none", f"strategy.init=run:{where}"]
    for verb in ("plan", "train"):
        assert main([verb, *words]) == 2
    with pytest.raises(ConfigError) as refused:
        tlx.train(tlx.compose(words))
    assert "1 in the run alone: red; 1 in the data alone: yellow" in str(refused.value)
    assert f"backbone.weights=run:{where}" in str(refused.value)
    (where / layout.RESULT).rename(where / "kept")
    for verb in ("plan", "train"):
        assert main([verb, *base, "dataset.root=photos", "tracking=none", f"strategy.init=run:{where}"]) == 2
        assert main([verb, *words[:-1], "strategy.init=run:nowhere"]) == 2
        assert main([verb, *words[:-1], "strategy.init=scrtach"]) == 2


def test_another_network_is_refused(small: Compose, families: Families, base: Path) -> None:
    where = run(small(f"backbone.weights={base}", "strategy=feature_extraction"))
    with pytest.raises(WeightsError, match="of another network"):
        tlx.train(small(*families["vit"], f"strategy.init=run:{where}"))


@pytest.mark.parametrize("frozen_ones", ["stored", "referenced"])
def test_double_precision_comes_back_bit_for_bit(
    small: Compose, base: Path, folder: Path, watch: Watch, frozen_ones: str
) -> None:
    """What trained has bits that 32 cannot hold, and what never did is hashed as the double it was made."""
    words = (f"backbone.weights={base}", "strategy=feature_extraction", "strategy.keep=last")
    where = run(small(*words, "hardware.precision=64-true", f"checkpoint.frozen={frozen_ones}"))
    assert watch.learner is not None
    ended, found = parameters_and_buffers(watch.learner.model), tensors(where)
    assert same(found, dict(ended))
    assert found["head.weight"].dtype == torch.float64
    assert not torch.equal(found["head.weight"], found["head.weight"].float().double())
    bundle.write(trained(where), where, folder / "bundle")
    assert same(parameters_and_buffers(bundle.read(folder / "bundle").network), found)
