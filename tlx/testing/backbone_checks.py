"""What tlx takes for granted of a backbone: tried on its shapes, and on trials of a few steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tlx.backbones.backbone import Backbone
from tlx.backbones.load import load
from tlx.columns.schema import Schema
from tlx.components.parts import parts_without
from tlx.components.registry import component
from tlx.config.schema import Trial
from tlx.data.module import Data
from tlx.runs import layout
from tlx.testing.trials import check_resume, composed, options_of, own_cache, trained, whole

_NEAR = 1e-4  # of float32, whose sums may be in another order


def check_backbone(kind: str, options: Mapping[str, Any] | None = None, trial: Sequence[str] = ()) -> None:
    """Build a registered backbone, and see that it keeps the contract.

    It gives a vector of its width for each example, which does not depend on the others of the batch once in eval mode,
    and every further form that it declares at the widths that it names; built twice from one seed it is the same; it
    can be built on the meta device; a trial that trains it moves its parameters and nothing that is frozen; where it
    says that it is cacheable, kept features give the predictions of computed ones; where it says that it is resumable,
    an interrupted trial ends as one that is not.

    Args:
        kind: The name it is registered under.
        options: Its options, where they are not to be the defaults.
        trial: Further words of the trial, such as ``dataset=...``; without it data of its modality.

    Raises:
        AssertionError: It does not; the message says what was seen.
        LookupError: There is no such backbone.
    """
    settings = options_of("backbone", kind, options)
    words = whole([f"backbone={kind}", *trial])
    with own_cache():
        made = composed(words, "nowhere", settings)
        _check_shapes(kind, made)
        for strategy in ["fine_tune", *(["lp_ft"] if "trainable" in component("backbone", kind).capabilities else [])]:
            with trained([*words, f"strategy={strategy}"], settings):
                pass
        if "cacheable" in component("backbone", kind).capabilities:
            _check_cache(kind, words, settings)
        if not parts_without(made, "resumable"):
            check_resume(kind, words, settings)


def _check_shapes(kind: str, trial: Trial) -> None:
    data = Data(trial.dataset, seed=0, batch_size=8)
    first, again = _built(trial, data.schema), _built(trial, data.schema)
    state, other = first.module.state_dict(), again.module.state_dict()
    same = state.keys() == other.keys() and all(torch.equal(state[name], other[name]) for name in state)
    assert same, f"{kind}: built twice from one seed, its weights differ"
    with torch.device("meta"):
        outline = load(trial.backbone, columns=data.schema.inputs, pretrained=False)
    shapes = {name: tuple(tensor.shape) for name, tensor in outline.module.state_dict().items()}
    assert shapes == {name: tuple(tensor.shape) for name, tensor in state.items()}, f"{kind} is another on meta"
    first.module.eval()
    inputs = _random(first.example(3, 6))
    with torch.no_grad():
        (whole,) = first.features(inputs)
        (alone,) = first.features(_rows(inputs, slice(0, 1)))
    assert tuple(whole.shape) == (3, first.width), f"{kind}: expected [3, {first.width}], found {list(whole.shape)}"
    assert bool(whole.isfinite().all()), f"{kind} gives features that are not finite"
    near = torch.allclose(alone, whole[:1], rtol=_NEAR, atol=_NEAR)
    assert near, f"{kind}: an example's features depend on its batch"
    for form in first.forms:
        depths = range(len(first.widths[form]))
        with torch.no_grad():
            found = first.features(inputs, form, depths)
        axis = 1 if form == "pyramid" else -1
        sizes = [one.shape[axis] for one in found]
        assert sizes == list(first.widths[form]), f"{kind}: {form} has the widths {sizes}, not {first.widths[form]}"
        assert all(len(one) == 3 for one in found), f"{kind}: {form} has not an entry for each example"


def _built(trial: Trial, schema: Schema) -> Backbone:
    torch.manual_seed(0)
    return load(trial.backbone, columns=schema.inputs, pretrained=False)


def _random(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(value.shape, generator=generator).to(value.dtype) if value.is_floating_point() else value
        for name, value in inputs.items()
    }


def _rows(inputs: Mapping[str, Tensor], chosen: slice) -> dict[str, Tensor]:
    return {name: value[chosen] for name, value in inputs.items()}


def _check_cache(kind: str, words: Sequence[str], settings: Mapping[str, Any]) -> None:
    words = [*words, "strategy=feature_extraction"]
    with trained([*words, "reuse=off"], settings) as place:
        computed = _predictions(place)
    with trained([*words, "reuse=always"], settings) as place:
        kept = _predictions(place)
    assert [one["example"] for one in kept] == [one["example"] for one in computed]
    for one, other in zip(kept, computed, strict=True):
        for name, value in one.items():
            if name != "prediction" and isinstance(value, list) and all(isinstance(p, float) for p in value):
                gap = max(abs(a - b) for a, b in zip(value, other[name], strict=True))
                assert gap < 1e-3, f"{kind}: kept features give other predictions, by {gap:.2g}"


def _predictions(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / layout.PREDICTIONS).read_text(encoding="utf-8").splitlines()]
