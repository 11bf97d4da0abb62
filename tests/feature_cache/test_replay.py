"""With recorded outputs in place of its constant part, a network gives what it would have given: every bit of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.feature_cache.cuts import ALL, CUTS, LAST
from tests.feature_cache.networks import batch, copies, frozen_but, gradients, light, network, put_back
from tlx.columns.batch import Batch
from tlx.feature_cache.cut import cut
from tlx.feature_cache.replay import Replay, record


def stepped(model: nn.Module, one: Batch, names: frozenset[str]) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Logits, gradients and the state of random numbers after one training step's passes; dropout draws the same."""
    torch.manual_seed(7)
    logits = model(one.inputs)
    F.cross_entropy(logits, one.targets["label"]).backward()  # type: ignore[no-untyped-call]
    return logits.detach(), gradients(model, names), torch.get_rng_state()


def buffers(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.named_buffers()}


@pytest.mark.parametrize(("name", "which"), ALL)
def test_output_and_gradients_are_those_of_the_whole_network(name: str, which: str) -> None:
    model = network(name)
    names = frozen_but(model, *CUTS[name][which][0])
    replay = Replay(model, cut(model, names))
    start = copies(model)
    for count, longest, seed in ((4, 11, 0), (7, 23, 1), (4, 11, 2), (2, 3, 3)):  # sizes come, go and come again
        put_back(model, start)
        one = batch(model, count, longest, seed)
        kept = record(model, one.inputs, replay.cut.sites)
        logits, grads, state = stepped(model, one, names)
        statistics = buffers(model)
        put_back(model, start)
        with replay.replaying(kept):
            again, regrads, restate = stepped(model, light(one), names)
        assert torch.equal(logits, again)
        assert grads.keys() == regrads.keys() == names
        assert [key for key in names if not torch.equal(grads[key], regrads[key])] == []
        assert torch.equal(state, restate)
        assert all(torch.equal(tensor, statistics[key]) for key, tensor in model.named_buffers())


@pytest.mark.parametrize("name", CUTS)
def test_what_was_replayed_is_as_it_was(name: str) -> None:
    model = network(name)
    names = frozen_but(model, *CUTS[name][LAST][0])
    replay = Replay(model, cut(model, names))
    model.eval()
    start, modes = copies(model), [module.training for module in model.modules()]
    one, states = batch(model, 3), torch.get_rng_state()
    with torch.no_grad():
        plain = model(one.inputs)
        attributes = [{key: id(value) for key, value in vars(module).items()} for module in model.modules()]
        kept = record(model, one.inputs, replay.cut.sites)
        with replay.replaying(kept):
            model(light(one).inputs)
    assert [{key: id(value) for key, value in vars(module).items()} for module in model.modules()] == attributes
    assert not any("forward" in vars(module) for module in model.modules())
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(tensor, start[key]) for key, tensor in copies(model).items())
    assert torch.equal(torch.get_rng_state(), states)
    with torch.no_grad():
        assert torch.equal(model(one.inputs), plain)


def test_recording_gives_what_hooks_see_and_goes_no_further() -> None:
    model = network("resnet")
    found = cut(model, frozen_but(model, *CUTS["resnet"][LAST][0]))
    model.eval()
    seen: list[Tensor] = []
    hooks = [
        model.get_submodule(f"backbone.{path}").register_forward_hook(lambda m, a, out: seen.append(out))
        for path in ("layer3", "layer4")
    ]
    with torch.no_grad():
        model(batch(model, 3).inputs)
    hooks[0].remove()
    ((tensor,),) = record(model, batch(model, 3).inputs, found.sites).values()
    assert len(seen) == 2
    assert torch.equal(tensor, seen[0])
    assert tensor.stride() == seen[0].stride()
    assert not tensor.requires_grad


def test_a_failing_pass_gives_the_model_back() -> None:
    model = network("resnet")
    replay = Replay(model, cut(model, frozen_but(model, *CUTS["resnet"][LAST][0])))
    kept = record(model, batch(model, 3).inputs, replay.cut.sites)
    with pytest.raises(ZeroDivisionError), replay.replaying(kept):
        1 / 0  # noqa: B018
    model.get_submodule("backbone.layer4").register_forward_pre_hook(lambda m, a: 1 / 0)
    with pytest.raises(ZeroDivisionError), replay.replaying(kept):
        model(light(batch(model, 3)).inputs)
    assert not any("forward" in vars(module) for module in model.modules())


def test_a_forward_that_somebody_put_into_the_object_is_still_there_after() -> None:
    model = network("resnet")
    layer = model.get_submodule("backbone.layer3")
    plain, calls = layer.forward, []

    def counted(x: Tensor) -> Any:
        calls.append(len(x))
        return plain(x)

    layer.forward = counted
    replay = Replay(model, cut(model, frozen_but(model, *CUTS["resnet"][LAST][0])))
    calls.clear()
    one = batch(model, 3)
    kept = record(model, one.inputs, replay.cut.sites)
    assert calls == [3]
    with replay.replaying(kept):
        model(light(one).inputs)
    assert calls == [3]
    assert layer.forward is counted


def test_every_epoch_replays_without_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the constant part runs: its convolutions are made to fail."""
    model = network("resnet")
    replay = Replay(model, cut(model, frozen_but(model, *CUTS["resnet"][LAST][0])))
    model.eval()
    batches = [batch(model, count, seed=count) for count in (2, 3)]
    with torch.no_grad():
        expected = [model(one.inputs) for one in batches]
        recorded = [record(model, one.inputs, replay.cut.sites) for one in batches]
    for path in _convolutions(model, "backbone.conv1", "backbone.layer1", "backbone.layer3"):
        monkeypatch.setattr(path, "weight", nn.Parameter(torch.full_like(path.weight, float("nan"))))
    for one, kept, logits in zip(batches, recorded, expected, strict=True):
        with torch.no_grad(), replay.replaying(kept):
            assert torch.equal(model(light(one).inputs), logits)


def _convolutions(model: nn.Module, *beginnings: str) -> Iterator[Any]:
    for path, module in model.named_modules():
        if path.startswith(beginnings) and isinstance(module, nn.Conv2d):
            yield module
