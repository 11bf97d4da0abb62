"""All of a trained model in a folder: weights, configuration, classes and tokenizer; no pickle, no network, no data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tlx.backbones.load import load
from tlx.backbones.spec import ImageSpec, Spec
from tlx.backbones.weights import content
from tlx.config.errors import Problem, WeightsError
from tlx.data import images
from tlx.data.source import DataInfo
from tlx.tasks.build import build as build_task
from tlx.tasks.protocol import Task
from tlx.trial import folder as folders
from tlx.trial.build import Built, assemble

WEIGHTS, FACTS, ENCODER = "model.safetensors", "model.json", "encoder"


@dataclass
class Model:
    """A trained model that answers for raw inputs."""

    network: nn.Module
    spec: Spec
    task: Task
    info: DataInfo

    def batch(self, inputs: Sequence[Any]) -> dict[str, Any]:
        """Decoded images (arrays [h, w] or [h, w, c]) or texts, as the network reads them."""
        label = torch.zeros(len(self.info.classes)) if self.info.multilabel else torch.tensor(0)
        samples: list[dict[str, Any]] = [{"index": i, "y": label} for i in range(len(inputs))]
        if isinstance(self.spec, ImageSpec):
            for sample, values in zip(samples, inputs, strict=True):
                sample["x"] = images.prepare(values, self.spec)
        else:
            limits = {"truncation": True, "max_length": self.spec.max_length, "padding": False}
            for sample, ids in zip(samples, self.spec.tokenizer(list(inputs), **limits)["input_ids"], strict=True):
                sample["input_ids"] = ids
        return self.task.collate(samples)

    @torch.no_grad()
    def answer(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """``prediction`` and the probability of each class by name, for each input."""
        found = self.task.predict(self.network, self.batch(inputs))
        names = self.info.classes
        return [
            {
                "prediction": one["prediction"],
                "probabilities": dict(zip(names, one["probabilities"], strict=True)),
            }
            for one in found
        ]


def model_of(built: Built) -> Model:
    """The model of a built trial, in eval mode."""
    return Model(built.learner.model.eval(), built.backbone.spec, built.learner.task, built.data.info)


def write(built: Built, run: Path, folder: Path) -> None:
    """Put a finished trial's model, as built and restored, into an empty ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in own(built.learner.model).items()}
    save_file(state, folder / WEIGHTS)
    shutil.copyfile(run / folders.CONFIG, folder / folders.CONFIG)
    facts = {"info": asdict(built.data.info), "sum": content(state), "identity": folders.read_result(run).identity}
    (folder / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
    encoder: Any = getattr(built.backbone.module, "encoder", None)
    tokenizer: Any = getattr(built.backbone.spec, "tokenizer", None)
    if hasattr(encoder, "config") and hasattr(tokenizer, "save_pretrained"):
        tokenizer.save_pretrained(folder / ENCODER)
        encoder.config.save_pretrained(folder / ENCODER)


def own(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, those left out of ``state_dict`` too; shared ones once."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def read(folder: Path) -> Model:
    """The model in a folder; raises :class:`WeightsError` if its weights are not what was written."""
    trial = folders.read_config(folder)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    state = load_file(folder / WEIGHTS)
    if content(state) != facts["sum"]:
        raise WeightsError([Problem("model", "is not what was written: its tensors have other bits", str(folder))])
    info = DataInfo(**{**facts["info"], "classes": tuple(facts["info"]["classes"])})
    if (folder / ENCODER).is_dir():
        trial.backbone.name = str(folder / ENCODER)
    backbone = load(trial.backbone, channels=info.channels, pretrained=False)
    task = build_task(trial.task, info)
    network = task.build(backbone, info)
    assemble(trial, network, backbone)
    with torch.no_grad():
        there = own(network)
        if there.keys() != state.keys():
            message = "has other tensors than this machine builds (library versions?)"
            raise WeightsError([Problem("model", message, str(folder))])
        for name, tensor in state.items():
            there[name].copy_(tensor)
    return Model(network.eval(), backbone.spec, task, info)
