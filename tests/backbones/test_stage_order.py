"""Stages are listed as they run: a dry run with hooks says when each is first used."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
import torch
from timm.data import resolve_model_data_config
from torch import nn

from tests.backbones.test_stages import TEXT, TIMM, on_meta
from tlx.backbones.partition.stages import Stage, stages


def first_use(model: nn.Module, cut: list[Stage], run: Callable[[], object]) -> list[int]:
    """For each stage that runs, in the list's order, when the first module that owns one of its tensors is called."""
    owner = {id(parameter): i for i, stage in enumerate(cut) for parameter in stage.parameters()}
    seen: dict[int, int] = {}
    clock = count()
    for module in model.modules():
        own = {owner[id(parameter)] for parameter in module.parameters(recurse=False) if id(parameter) in owner}

        def note(*_: object, own: set[int] = own) -> None:
            now = next(clock)
            for index in own:
                seen.setdefault(index, now)

        module.register_forward_pre_hook(note)
    with torch.no_grad():
        run()
    return [seen[index] for index in sorted(seen)]


@pytest.mark.parametrize("name", TIMM)
def test_timm_stages_are_ordered_as_they_run(name: str) -> None:
    model = on_meta(name).eval()
    size = resolve_model_data_config(model)["input_size"]
    times = first_use(model, stages(model), lambda: model(torch.empty(1, *size, device="meta")))
    assert len(times) == len(stages(model))
    assert times == sorted(times)


@pytest.mark.parametrize("name", list(TEXT))
def test_text_stages_are_ordered_as_they_run(name: str) -> None:
    model = TEXT[name]().eval()
    ids = torch.arange(5).unsqueeze(0)
    inputs = {"input_ids": ids, "decoder_input_ids": ids} if name.startswith("t5") else {"input_ids": ids}
    times = first_use(model, stages(model), lambda: model(**inputs))
    assert len(times) >= 2
    assert times == sorted(times)


@pytest.mark.parametrize(("name", "blocks"), [("resnet18", 8), ("vit_tiny_patch16_224", 12), ("bert", 2), ("gpt2", 2)])
def test_every_block_is_a_stage_of_its_own(name: str, blocks: int) -> None:
    numbered = [stage.name for stage in stages(on_meta(name)) if stage.name[-1].isdigit()]
    assert len(numbered) == blocks
