"""What tlx takes for granted of a task: tried on its losses and metrics, and on trials of a few steps."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import torch
from torch import nn

from tlx.columns.batch import Batch
from tlx.components.parts import parts_without
from tlx.components.registry import component
from tlx.config.schema import Trial
from tlx.orchestration import batchable
from tlx.runs.metric import Metric
from tlx.tasks.protocol import BatchableTask, Task
from tlx.testing.trials import check_resume, composed, options_of, own_cache, trained, whole
from tlx.training.build import build


def check_task(kind: str, options: Mapping[str, Any] | None = None, trial: Sequence[str] = ()) -> None:
    """Build a registered task on data, and see that it keeps the contract.

    Its loss is one finite number that moves the head, and a mean: of a batch in two parts it is the mean of theirs,
    weighed as the task says; its metrics have the names and directions that it declares, do not depend on how a split
    is cut into batches, and begin anew after each evaluation; predictions are plain records in the order of the batch;
    where heads can be side by side, their losses and metrics are those of one after the other; a trial trains, and
    where it is resumable, one that is interrupted ends as one that is not.

    Args:
        kind: The name it is registered under.
        options: Its options, where they are not to be the defaults.
        trial: Further words of the trial, such as ``dataset=...``; without it the digits.

    Raises:
        AssertionError: It does not; the message says what was seen.
        LookupError: There is no such task.
    """
    settings = options_of("task", kind, options)
    words = whole([f"task={kind}", *trial])
    with own_cache():
        made = composed(words, "nowhere", settings)
        _check_steps(kind, made)
        with trained(words, settings):
            pass
        if not parts_without(made, "resumable"):
            check_resume(kind, words, settings)


def _check_steps(kind: str, trial: Trial) -> None:
    module = build(trial).module
    task, model = module.task, module.model.eval()
    batch = next(iter(module.data.eval_loader("val")))
    assert len(batch) >= 4, f"{kind}: needs four examples or more to look at, found {len(batch)}"
    _check_loss(kind, task, model, batch)
    _check_metrics(kind, task, model, batch)
    records = task.predict(model, batch)
    assert [one.get("index") for one in records] == batch.index.tolist(), f"{kind}: expected a prediction per example"
    assert json.loads(json.dumps(records)) == records, f"{kind}: predictions are no plain records"
    if _is_batchable(kind, trial, task):
        _check_heads(kind, task, model, batch)


def _is_batchable(kind: str, trial: Trial, task: Task) -> bool:
    """Are heads of these options trained side by side?"""
    part = component("task", kind)
    if "batchable_head" not in part.capabilities or batchable.task_key(trial) is None:
        return False
    assert isinstance(task, BatchableTask), f"{kind} says batchable_head, but lacks together() or target()"
    return task.together([task]) is not None


def _check_heads(kind: str, task: Any, model: nn.Module, batch: Batch) -> None:
    many = task.together([task, task])
    outputs, target = model(batch.inputs).detach(), task.target(batch.targets)
    pair = torch.stack([outputs, outputs])
    alone = float(task.training_step(model, batch).loss.detach())
    for loss in many.losses(pair, torch.stack([target, target])).tolist():
        assert math.isclose(loss, alone, rel_tol=1e-5, abs_tol=1e-6), f"{kind}: a head beside others has another loss"
    for values in many.metrics(pair, target):
        _same(f"{kind}: heads side by side have other metrics", values, _evaluated(task, model, [batch]))


def _check_loss(kind: str, task: Task, model: nn.Module, batch: Batch) -> None:
    head = [parameter for name, parameter in model.named_parameters() if name.startswith("head.")]
    model.zero_grad(set_to_none=True)
    whole = task.training_step(model, batch)
    assert whole.loss is not None, f"{kind}: a training step gives no loss"
    assert whole.loss.ndim == 0, f"{kind}: expected one number as loss, found {list(whole.loss.shape)}"
    assert bool(whole.loss.isfinite()), f"{kind}: the loss is {float(whole.loss)}"
    whole.loss.backward()  # type: ignore[no-untyped-call]
    moved = any(one.grad is not None and bool(one.grad.abs().sum() > 0) for one in head)
    assert moved or not head, f"{kind}: its loss has no gradient in the head"
    parts = [task.training_step(model, part) for part in _halves(batch)]
    weights = [float(part.weight) for part in parts]
    assert math.isclose(sum(weights), float(whole.weight), rel_tol=1e-5), f"{kind}: weights of parts do not add up"
    known = task.weights(batch.targets, batch.meta)
    expected = len(batch) if known is None else float(known.sum())
    assert math.isclose(float(whole.weight), expected, rel_tol=1e-5), f"{kind}: a step weighs else than weights() says"
    losses = [float(part.loss.detach()) for part in parts if part.loss is not None]
    mean = sum(weight * loss for weight, loss in zip(weights, losses, strict=True)) / sum(weights)
    message = (
        f"{kind}: the loss of a batch, {float(whole.loss.detach()):.6g}, is not the mean over its parts, {mean:.6g}"
    )
    assert math.isclose(mean, float(whole.loss.detach()), rel_tol=1e-4, abs_tol=1e-6), message


def _check_metrics(kind: str, task: Task, model: nn.Module, batch: Batch) -> None:
    found = _evaluated(task, model, [batch])
    assert found.keys() == task.metric_info.keys(), f"{kind}: declares {list(task.metric_info)}, gives {list(found)}"
    assert task.primary_metric in found, f"{kind}: its primary metric {task.primary_metric!r} is none of its metrics"
    for name, metric in task.metric_info.items():
        assert isinstance(metric, Metric), f"{kind}: {name} is described by a {type(metric).__name__}"
        assert metric.name == name, f"{kind}: {name} is described as {metric.name}"
    _same(
        f"{kind}: metrics depend on how examples are cut into batches", _evaluated(task, model, _halves(batch)), found
    )
    metrics = task.metrics()
    for _ in range(2):
        with torch.no_grad():
            task.eval_step(model, batch, metrics)
        _same(f"{kind}: metrics do not begin anew after an evaluation", task.compute(metrics), found)


def _evaluated(task: Task, model: nn.Module, batches: Sequence[Batch]) -> dict[str, float | None]:
    metrics = task.metrics()
    with torch.no_grad():
        for batch in batches:
            task.eval_step(model, batch, metrics)
    return task.compute(metrics)


def _same(message: str, one: Mapping[str, float | None], other: Mapping[str, float | None]) -> None:
    for name, value in one.items():
        wanted = other[name]
        near = (
            value is wanted
            if value is None or wanted is None
            else math.isclose(value, wanted, rel_tol=1e-4, abs_tol=1e-5)
        )
        assert near, f"{message}: {name} is {value} and {wanted}"


def _halves(batch: Batch) -> list[Batch]:
    """Two parts of unequal size."""
    cut = len(batch) // 2 + 1
    return [batch.map(itemgetter(part)) for part in (slice(0, cut), slice(cut, None))]
