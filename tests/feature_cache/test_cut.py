"""What is kept of a network is what a person would keep; asking changes nothing."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from tests.feature_cache.cuts import ALL, CUTS, HEAD, LAST
from tests.feature_cache.networks import batch, copies, frozen_but, network
from tlx.feature_cache.cut import ModuleCall, cut, whole_backbone


@pytest.mark.parametrize(("name", "which"), ALL)
def test_the_sites_are_those_a_person_would_name(name: str, which: str) -> None:
    model = network(name)
    beginnings, sites = CUTS[name][which]
    found = cut(model, frozen_but(model, *beginnings))
    assert tuple(map(str, found.sites)) == sites
    assert set(found.sites) <= found.constant
    assert found.is_features == (which == HEAD)


@pytest.mark.parametrize(("name", "which"), ALL)
def test_the_constant_part_reads_frozen_tensors_alone(name: str, which: str) -> None:
    model = network(name)
    trainable = frozen_but(model, *CUTS[name][which][0])
    found = cut(model, trainable)
    own = {name for name, _ in [*model.named_parameters(), *model.named_buffers()]}
    assert found.tensors
    assert found.tensors <= own - trainable
    if which == HEAD:
        frozen = {name for name, _ in model.named_parameters()} - trainable
        assert frozen <= found.tensors


@pytest.mark.parametrize("name", ["resnet", "vit", "bert"])
def test_a_tensor_that_is_not_named_does_not_change_what_is_kept(name: str) -> None:
    model = network(name)
    trainable = frozen_but(model, *CUTS[name][LAST][0])
    found = cut(model, trainable)
    modules = {str(site): model.get_submodule(site.path) for site in found.sites}
    one = batch(model, 3).inputs

    def given() -> dict[str, torch.Tensor]:
        seen: dict[str, torch.Tensor] = {}
        hooks = [
            module.register_forward_hook(lambda m, a, out, key=key: seen.update({key: out.clone()}))
            for key, module in modules.items()
        ]
        with torch.no_grad():
            model(one)
        for hook in hooks:
            hook.remove()
        return seen

    before = given()
    own = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    with torch.no_grad():
        for key in own.keys() - found.tensors:
            own[key].fill_(3)
    after = given()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("name", CUTS)
def test_asking_leaves_the_model_and_all_random_numbers_alone(name: str) -> None:
    model = network(name)
    trainable = frozen_but(model, *CUTS[name][LAST][0])
    tensors, modes = copies(model), [module.training for module in model.modules()]
    attributes = [sorted(vars(module)) for module in model.modules()]
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    cut(model, trainable)
    assert all(torch.equal(tensor, tensors[key]) for key, tensor in copies(model).items())
    assert [module.training for module in model.modules()] == modes
    assert [sorted(vars(module)) for module in model.modules()] == attributes
    assert [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()] == hooks
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]  # type: ignore[index]


def test_a_network_without_memory_is_cut_the_same() -> None:
    model = network("resnet")
    trainable = frozen_but(model, *CUTS["resnet"][LAST][0])
    real, modes = cut(model, trainable), [module.training for module in model.modules()]
    model.to("meta")
    assert [module.training for module in model.modules()] == modes
    assert cut(model, trainable) == real


def test_sizes_and_costs_are_those_of_the_network() -> None:
    model = network("resnet")
    found = cut(model, frozen_but(model, *CUTS["resnet"][LAST][0]))
    (leaf,) = found.leaves[ModuleCall("backbone.layer3")]
    assert (leaf.kind, leaf.shape, leaf.size()) == ("rows", (256, 4, 4), 4 * 256 * 4 * 4)
    costs: list[float] = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, a, out: costs.append(2 * out[0].numel() * m.weight[0].numel()))
    with torch.no_grad():
        model(batch(model, 1).inputs)
    assert found.whole == sum(costs) + 2 * 512 * 3
    assert found.cost == sum(costs[:-5])  # layer4: four convolutions and one in the shortcut


def test_a_text_is_kept_by_token() -> None:
    model = network("bert")
    found = cut(model, frozen_but(model, *CUTS["bert"][LAST][0]))
    (leaf,) = found.leaves[found.sites[0]]
    assert (leaf.kind, leaf.shape, leaf.size(tokens=7.5)) == ("tokens", (32,), 4 * 32 * 7.5)


def test_what_every_batch_shares_costs_no_bytes() -> None:
    model = network("deberta")
    found = cut(model, frozen_but(model, *CUTS["deberta"][LAST][0]))
    (leaf,) = found.leaves[ModuleCall("backbone.encoder.encoder.LayerNorm")]
    assert (leaf.kind, leaf.size(100)) == ("shared", 0.0)


def test_a_whole_frozen_backbone_needs_no_dry_run() -> None:
    model = network("bert")
    names = frozen_but(model, "head.")
    quick = whole_backbone(model, names, 32)
    slow = cut(model, names)
    assert quick is not None
    assert quick.is_features
    assert (quick.sites, quick.leaves) == (slow.sites, slow.leaves)
    assert quick.tensors >= slow.tensors
    model.train()
    assert whole_backbone(model, names, 32) is None
    model.eval()
    assert whole_backbone(model, names | {"backbone.encoder.embeddings.LayerNorm.bias"}, 32) is None
