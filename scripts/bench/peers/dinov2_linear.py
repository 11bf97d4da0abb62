"""Mimics DINOv2's ``eval/linear.py``: one loop in which every learning rate has a linear head on the same features.

As there: the frozen backbone runs once per batch under ``no_grad``, all heads read its features, the losses are
summed, one optimizer holds a group per rate, and evaluation scores all heads in one pass. Unlike there: AdamW instead
of SGD with a cosine, epochs instead of iterations, no augmentation. All trials are one joint measurement.
"""

from __future__ import annotations

import torch
from bench import Bench
from network import Classifier
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric
from workload import Workload


class AllClassifiers(nn.Module):
    """A head per learning rate."""

    def __init__(self, heads: dict[str, nn.Linear]) -> None:
        super().__init__()
        self.heads = nn.ModuleDict(heads)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        return {name: head(features) for name, head in self.heads.items()}


@torch.no_grad()
def evaluate(workload: Workload, split: str, model: Classifier, heads: AllClassifiers) -> list[float]:
    """Accuracy of every head, with loss and macro F1 computed beside it."""
    metrics = {name: workload.metrics(f"{split}/") for name in heads.heads}
    losses = {name: MeanMetric() for name in heads.heads}
    for *inputs, y in workload.loader(split):
        for name, logits in heads(model.features(*inputs)).items():
            metrics[name].update(logits, y)
            losses[name].update(F.cross_entropy(logits, y), len(y))
    values = {name: metric.compute() | {"loss": losses[name].compute()} for name, metric in metrics.items()}
    for name, value in values.items():
        print(split, name, {key: round(float(number), 4) for key, number in value.items()})
    return [float(value[f"{split}/acc"]) for value in values.values()]


def main() -> None:
    """Train all heads together."""
    bench = Bench(__doc__, modes=["head"])
    workload = bench.workload.load()
    model = workload.model().eval()
    width, classes = workload.work["width"], workload.work["classes"]
    heads = AllClassifiers({f"lr_{lr:g}".replace(".", "_"): nn.Linear(width, classes) for lr in bench.rates})
    groups = [
        group
        for head, lr in zip(heads.heads.values(), bench.rates, strict=True)
        for group in workload.groups(heads, head.parameters(), lr)
    ]
    optimizer = torch.optim.AdamW(groups, betas=tuple(workload.work["betas"]))
    loader = workload.loader("train")
    val_acc: list[float] = []
    for epoch in range(bench.epochs):
        seen = MeanMetric()
        for *inputs, y in loader:
            with torch.no_grad():
                features = model.features(*inputs)
            losses = {name: F.cross_entropy(logits, y) for name, logits in heads(features).items()}
            loss = torch.stack(list(losses.values())).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen.update(loss.detach(), len(y))
        print(f"epoch {epoch}: train loss {float(seen.compute()):.4f}")
        val_acc = evaluate(workload, "val", model, heads)
    bench.lap(val_acc, evaluate(workload, "test", model, heads), joint=True, tested="last")
    bench.write()


if __name__ == "__main__":
    main()
