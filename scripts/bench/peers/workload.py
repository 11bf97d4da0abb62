"""What the peers share: a workload read from its folder, its model, its batches, its optimizer and its metrics.

Needs torch, torchmetrics, safetensors and timm or transformers, and nothing of tlx.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from network import Classifier, TextEncoder
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score


class Texts(Dataset[tuple[Tensor, Tensor]]):
    """Token ids and label."""

    def __init__(self, ids: Tensor, offsets: Tensor, labels: Tensor) -> None:
        self.ids = ids.split(offsets.diff().tolist())
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.ids[i], self.labels[i]


@dataclass
class Workload:
    """A folder made by ``workloads.py``."""

    folder: Path
    work: dict[str, Any]
    data: dict[str, Tensor] = field(default_factory=dict)

    def load(self) -> Workload:
        """Read the examples, and seed: what every trial begins with."""
        torch.manual_seed(self.work["seed"])
        return Workload(self.folder, self.work, load_file(self.folder / "data.safetensors"))

    @property
    def is_text(self) -> bool:
        return self.work["kind"] == "text"

    def model(self, mode: str = "head") -> Classifier:
        """The classifier, what does not train frozen."""
        work = self.work
        if self.is_text:
            from transformers import BertConfig, BertModel

            backbone: nn.Module = TextEncoder(BertModel(BertConfig(**work["arguments"]), add_pooling_layer=False))
        else:
            import timm

            backbone = timm.create_model(work["model"], **work["arguments"])
        backbone.load_state_dict(load_file(self.folder / "backbone.safetensors"))
        model = Classifier(backbone.requires_grad_(False), work["width"], work["classes"])
        if mode == "last_stage":
            model.thaw(work["last_stage"])
        model.train()  # Lightning takes modes as it finds them
        return model if self.is_text else model.to(memory_format=torch.channels_last)

    def dataset(self, split: str) -> Dataset[Any]:
        if self.is_text:
            return Texts(*(self.data[f"{name}_{split}"] for name in ("ids", "offsets", "y")))
        return TensorDataset(self.data[f"x_{split}"], self.data[f"y_{split}"])

    def collate(self, samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, ...]:
        """Ids padded to the longest, mask, labels."""
        ids = nn.utils.rnn.pad_sequence([one for one, _ in samples], True, self.work["pad_id"])
        lengths = torch.tensor([len(one) for one, _ in samples])
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        return ids, mask, torch.stack([label for _, label in samples])

    def loader(self, split: str) -> DataLoader[Any]:
        """Batches (inputs ..., labels)."""
        collate = self.collate if self.is_text else None
        return DataLoader(self.dataset(split), self.work["batch_size"], split == "train", collate_fn=collate)

    def metrics(self, prefix: str) -> MetricCollection:
        """Accuracy and macro F1."""
        classes = self.work["classes"]
        both = {"acc": MulticlassAccuracy(classes, average="micro"), "f1": MulticlassF1Score(classes, average="macro")}
        return MetricCollection(both, prefix=prefix)

    def groups(self, model: nn.Module, parameters: Iterable[nn.Parameter], lr: float) -> list[dict[str, Any]]:
        """Decayed and undecayed ones of these parameters."""
        body = getattr(model, "backbone", model)
        spared = {id(getattr(body, name, None)) for name in getattr(body, "no_weight_decay", set)()}
        sides: dict[bool, list[nn.Parameter]] = {True: [], False: []}
        for parameter in parameters:
            sides[parameter.ndim > 1 and id(parameter) not in spared].append(parameter)
        decay = self.work["weight_decay"]
        return [{"params": s, "lr": lr, "weight_decay": decay if d else 0.0} for d, s in sides.items() if s]

    def optimizer(self, model: nn.Module, lr: float, **arguments: Any) -> torch.optim.AdamW:
        """AdamW over what trains now."""
        trains = [p for p in model.parameters() if p.requires_grad]
        return torch.optim.AdamW(self.groups(model, trains, lr), betas=tuple(self.work["betas"]), **arguments)
