"""Where the constant part ends early, where there is none, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.feature_cache.networks import labelled, light, network
from tests.feature_cache.toys import (
    WIDTH,
    Between,
    Branched,
    Moody,
    Plain,
    Positioned,
    Remembering,
    Stashed,
    Tied,
    Twice,
    toy,
)
from tlx.columns.batch import Batch
from tlx.feature_cache.cut import ModuleCall, NotCacheable, cut
from tlx.feature_cache.replay import Replay, record
from tlx.strategies.freezing import freeze


def frozen_but(model: nn.Module, *names: str, norm: str = "eval") -> frozenset[str]:
    """Freeze all but the parameters of these modules, found by whatever name."""
    named = dict(model.named_parameters(remove_duplicate=False))
    wanted = {id(p) for name, p in named.items() if name.rpartition(".")[0] in names}
    found = frozenset(name for name, p in model.named_parameters() if id(p) in wanted)
    freeze(model, found, norm)
    return found


def sites(model: nn.Module, trainable: frozenset[str]) -> list[str]:
    return list(map(str, cut(model, trainable).sites))


def images(count: int, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return labelled({"image": torch.rand(count, 1, 8, 8, generator=generator)}, count)


def test_where_everything_trains_there_is_nothing() -> None:
    model = toy(Plain())
    with pytest.raises(NotCacheable, match="nothing runs before"):
        cut(model, frozenset(name for name, _ in model.named_parameters()))


def test_where_the_first_layer_trains_there_is_nothing() -> None:
    model = toy(Plain())
    with pytest.raises(NotCacheable, match="nothing runs before"):
        cut(model, frozen_but(model, "backbone.first", "head"))


def test_time_decides_and_not_the_order_of_registration() -> None:
    model = toy(Twice())  # first, middle, last, middle: with the last trained, the middle has run once
    assert sites(model, frozen_but(model, "backbone.last", "head")) == ["backbone.middle#1"]
    assert sites(model, frozen_but(model, "backbone.middle", "head")) == ["backbone.first"]


@pytest.mark.parametrize(("mode", "expected"), [("eval", "backbone.middle"), ("train", "backbone.first")])
def test_a_frozen_norm_that_follows_the_data_ends_it(mode: str, expected: str) -> None:
    model = toy(Between(nn.BatchNorm1d(WIDTH)))
    assert sites(model, frozen_but(model, "backbone.last", "head", norm=mode)) == [expected]


@pytest.mark.parametrize(("mode", "expected"), [("eval", "backbone.layer3"), ("train", "backbone.conv1")])
def test_a_resnet_with_following_norms_keeps_its_first_convolution(mode: str, expected: str) -> None:
    model = network("resnet")
    names = frozenset(n for n, _ in model.named_parameters() if n.startswith(("backbone.layer4", "head")))
    freeze(model, names, mode)
    assert list(map(str, cut(model, names).sites)) == [expected]


@pytest.mark.parametrize(("rate", "training", "expected"), [
    (0.5, False, "backbone.middle"),
    (0.0, True, "backbone.middle"),
    (0.5, True, "backbone.first"),
])  # fmt: skip
def test_dropout_that_drops_ends_it(rate: float, training: bool, expected: str) -> None:
    model = toy(Between(nn.Dropout(rate)))
    names = frozen_but(model, "backbone.last", "head")
    model.get_submodule("backbone.between").training = training
    assert sites(model, names) == [expected]


def test_a_random_number_anywhere_in_the_code_ends_it() -> None:
    class Noise(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.randn_like(x)

    model = toy(Between(Noise()))
    assert sites(model, frozen_but(model, "backbone.last", "head")) == ["backbone.first"]


def test_a_tied_tensor_trains_where_it_is_used_first() -> None:
    model = toy(Tied())
    with pytest.raises(NotCacheable, match="nothing runs before"):
        cut(model, frozen_but(model, "backbone.last", "head"))


def test_what_a_module_leaves_behind_of_a_layer_within_is_refused() -> None:
    model = toy(Stashed(own=False))
    with pytest.raises(NotCacheable, match=r"backbone\.stash\.lin leaves something behind"):
        cut(model, frozen_but(model, "backbone.last", "head"))


def test_a_way_that_depends_on_the_size_of_the_batch_is_refused() -> None:
    model = toy(Moody())
    with pytest.raises(NotCacheable, match="size of the batch"):
        cut(model, frozen_but(model, "backbone.last", "head"))


def test_a_frozen_module_called_again_later_runs_again() -> None:
    model = toy(Twice())
    replay = Replay(model, cut(model, frozen_but(model, "backbone.last", "head")))
    one = images(5)
    kept = record(model, one.inputs, replay.cut.sites)
    with torch.no_grad(), replay.replaying(kept):
        played = model(light(one).inputs)
    assert replay.cut.constant >= {ModuleCall("backbone.middle", 0)}
    assert ModuleCall("backbone.middle", 2) not in replay.cut.constant
    assert torch.equal(played, model(one.inputs))


def test_what_is_no_tensor_in_an_output_comes_back() -> None:
    model = toy(Branched())
    replay = Replay(model, cut(model, frozen_but(model, "backbone.last", "head")))
    assert list(map(str, replay.cut.sites)) == ["backbone.first"]
    assert len(replay.cut.leaves[replay.cut.sites[0]]) == 2
    one = images(5)
    with torch.no_grad(), replay.replaying(record(model, one.inputs, replay.cut.sites)):
        played = model(light(one).inputs)
    assert torch.equal(played, model(one.inputs))


def test_one_tensor_for_all_examples_comes_back() -> None:
    model = toy(Positioned())
    replay = Replay(model, cut(model, frozen_but(model, "backbone.last", "head")))
    assert list(map(str, replay.cut.sites)) == ["backbone.a_position", "backbone.first"]
    for one in (images(5), images(9, seed=1)):
        kept = record(model, one.inputs, replay.cut.sites)
        with torch.no_grad(), replay.replaying(kept):
            played = model(light(one).inputs)
        assert torch.equal(played, model(one.inputs))


def test_what_a_module_remembers_of_a_shape_stays_real() -> None:
    """A constant call that is no site is asked for its shape alone: that must not become what the module knows."""
    model = toy(Remembering())
    replay = Replay(model, cut(model, frozen_but(model, "backbone.last", "head")))
    model.eval()
    one, other = images(5), images(9)
    with torch.no_grad():
        expected = [model(one.inputs), model(other.inputs)]
        kept = [record(model, batch.inputs, replay.cut.sites) for batch in (other, one)]
        for batch, recorded, logits in zip((other, one), kept, expected[::-1], strict=True):
            with replay.replaying(recorded):
                assert torch.equal(model(light(batch).inputs), logits)
        assert torch.equal(model(one.inputs), expected[0])
