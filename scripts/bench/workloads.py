"""The workloads of the speed comparison: each a folder that tlx and the peers train on alike.

``python scripts/bench/workloads.py FOLDER [NAME ...]`` makes ``FOLDER/{resnet18,vit_tiny,vit_small,bert}``, each with

- ``backbone.safetensors``: random but fixed weights, by the names that ``backbone.weights=`` of tlx expects;
- ``data.safetensors``: inputs as tlx prepares them (``x_train`` ..., or ``ids_train`` and ``offsets_train`` ...) and
  labels ``y_train`` ...;
- ``work.json``: the model, the optimizer, eight learning rates, and under ``tlx`` the overrides of the same trial for
  each mode (``head``, ``last_stage``, ``gradual``), to which the driver adds ``strategy.lr=<rate>``;
- for ``bert`` also ``texts.csv`` (text, label, split) and ``encoder/``, the model and its tokenizer as transformers
  saves them, for tools that read only those.

Every set of overrides is built by tlx and compared with the folder before it is written. Sizes are such that a frozen
pass over all examples takes some seconds of one core.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tlx.backbones.load import load
from tlx.columns import Label
from tlx.columns.input_spec import ImageSpec
from tlx.columns.text_reader import Tokenised
from tlx.composition.compose import compose
from tlx.data.module import Data
from tlx.training.build import TrialComponents, build
from tlx.training.network import seed_everything

SEED = 0
BATCH = 64
EPOCHS = 10
DECAY = 0.02
RATES = [float(f"{1e-4 * 300 ** (i / 7):.3g}") for i in range(8)]  # 1e-4 to 3e-2
SPLITS = ("train", "val", "test")
# rendered ones: scikit-learn's scans come with half of them for testing, which no trial passes over more than once
DIGITS = [
    "dataset=glyphs",
    "dataset.characters=digits",
    "dataset.n_train=1400",
    "dataset.n_val=360",
    "dataset.n_test=90",
]
PACKAGES = ("asyncio", "email", "http", "logging", "multiprocessing", "unittest")

VIT_LEVELS = [
    ["norm", "blocks.11", "blocks.10", "blocks.9"],
    ["blocks.8", "blocks.7", "blocks.6"],
    ["blocks.5", "blocks.4", "blocks.3"],
    ["blocks.2", "blocks.1", "blocks.0", "patch_embed", "pos_embed", "cls_token"],
]

# What trains in the modes, as paths below the backbone: the last stage, and four levels from deep to shallow.
WORKLOADS: dict[str, dict[str, Any]] = {
    "resnet18": {
        "overrides": ["backbone=resnet18", "backbone.input.size=64", *DIGITS],
        "last_stage": ["layer4"],
        "tlx_last_stage": "stages[-2:]",  # layer4.0 and layer4.1
        "levels": [["layer4"], ["layer3"], ["layer2"], ["layer1", "bn1", "conv1"]],
    },
    "vit_tiny": {
        "overrides": ["backbone=vit_tiny", "backbone.input.size=96", *DIGITS],
        "last_stage": ["blocks.11", "norm"],
        "tlx_last_stage": "stages[-1:]",
        "levels": VIT_LEVELS,
    },
    "vit_small": {  # at 224 px: a pass dear enough to be compared with a whole command
        "overrides": ["backbone=vit_small", *DIGITS],
        "last_stage": ["blocks.11", "norm"],
        "tlx_last_stage": "stages[-1:]",
        "levels": VIT_LEVELS,
    },
    "bert": {
        "overrides": [
            "backbone=narrow_bert",
            "backbone.settings.hidden_size=256",
            "backbone.settings.intermediate_size=1024",
            "backbone.max_length=128",
            "dataset=docstrings",
            f"dataset.packages=[{','.join(PACKAGES)}]",
        ],
        "last_stage": ["encoder.encoder.layer.3"],
        "tlx_last_stage": "stages[-1:]",
        "levels": [
            ["encoder.encoder.layer.3"],
            ["encoder.encoder.layer.2"],
            ["encoder.encoder.layer.1"],
            ["encoder.encoder.layer.0", "encoder.embeddings"],
        ],
    },
}


def make(name: str, folder: Path) -> dict[str, Any]:
    """Write one workload into ``folder``; returns its ``work.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    workload = WORKLOADS[name]
    trial = compose([*workload["overrides"], "backbone.weights=none", "hardware=cpu"])
    data = Data(trial.dataset, seed=SEED, batch_size=BATCH)
    seed_everything(SEED)
    backbone = load(trial.backbone, columns=data.schema.inputs, pretrained=False)
    column, spec = next(iter(data.schema.inputs)), next(iter(backbone.takes.values()))
    data.prepare({column: spec})
    label = data.schema.target((Label, Label))
    state = {key: tensor.detach().clone().contiguous() for key, tensor in backbone.module.state_dict().items()}
    save_file(state, folder / "backbone.safetensors")
    save_file(_tensors(data), folder / "data.safetensors")
    work: dict[str, Any] = {
        "name": name,
        "seed": SEED,
        "classes": len(label.classes),
        "class_names": list(label.classes),
        "examples": {split: len(data.splits[split]) for split in SPLITS},
        "width": backbone.width,
        "batch_size": BATCH,
        "epochs": EPOCHS,
        "optimizer": "adamw",
        "weight_decay": DECAY,  # of weights; not of biases, norms and what the model's no_weight_decay() names
        "betas": [0.9, 0.999],
        "schedule": "constant",
        "rates": RATES,
        "last_stage": workload["last_stage"],
        "levels": workload["levels"],
        "tlx": _overrides(workload, folder.resolve() / "backbone.safetensors"),
    }
    if isinstance(spec, ImageSpec):
        arguments: dict[str, Any] = {"num_classes": 0, "in_chans": spec.channels}
        if name == "vit_tiny":
            arguments["img_size"] = spec.height
        work |= {"kind": "image", "model": trial.backbone.name.split(".")[0], "arguments": arguments}
        work |= {"image_size": spec.height, "channels": spec.channels}
    else:
        encoder = backbone.module.encoder  # type: ignore[union-attr]
        settings = {key: getattr(encoder.config, key) for key in ["vocab_size", *trial.backbone.settings]}
        work |= {"kind": "text", "model": trial.backbone.architecture, "arguments": settings, "pooling": "mean"}
        work |= {"max_length": spec.max_length, "pad_id": spec.pad_id, "image_size": None}
        encoder.config.tie_word_embeddings = False
        encoder.save_pretrained(folder / "encoder")
        spec.tokenizer.model_max_length = spec.max_length
        spec.tokenizer.save_pretrained(folder / "encoder")
        _write_texts(data, folder / "texts.csv")
    for mode, overrides in work["tlx"].items():
        _check(mode, build(compose([*overrides, f"strategy.lr={RATES[0]}"])), work, state)
    (folder / "work.json").write_text(json.dumps(work, indent=2) + "\n", encoding="utf-8")
    return work


def _tensors(data: Data) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for split in SPLITS:
        examples = data.examples[split]
        (target,), ((name, reader),) = examples.targets.values(), examples.readers.items()
        tensors[f"y_{split}"] = target.clone()
        if isinstance(reader, Tokenised):
            lengths = torch.tensor([0, *map(len, reader.tokens)])
            tensors[f"offsets_{split}"] = lengths.cumsum(0)
            tensors[f"ids_{split}"] = torch.tensor([token for ids in reader.tokens for token in ids])
        else:
            batches = (examples.__getitems__([(0, i)]) for i in range(len(examples)))
            tensors[f"x_{split}"] = torch.cat([batch.inputs[name] for batch in batches]).contiguous()
    return tensors


def _write_texts(data: Data, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "split"])
        for number, split in enumerate(SPLITS):
            for i in data.splits[split]:
                text, label = (data.source.rows[column.name][i] for column in data.source.columns)
                writer.writerow([str(text), data.source.columns[1].shown(label), number])


def _overrides(workload: dict[str, Any], weights: Path) -> dict[str, list[str]]:
    """The same trial in tlx, by mode, without its learning rate."""
    shared = [
        *workload["overrides"],
        f"backbone.weights={weights}",
        "dataset.eval_batch_size=64",
        f"strategy.batch_size={BATCH}",
        f"strategy.budget={EPOCHS} epochs",
        f"strategy.optimizer.weight_decay={DECAY}",
        "strategy.schedule.shape=constant",
        "strategy.schedule.warmup=0%",
        "hardware=cpu",
        "hardware.threads=1",
        "tracking=none",
    ]
    patterns = [
        "^(" + "|".join(path.replace(".", "[.]") for path in level) + ")([.]|$)" for level in workload["levels"]
    ]
    cut = ",".join(f"'{pattern}'" for pattern in reversed(patterns))
    return {
        "head": [*shared, "strategy=feature_extraction"],
        "last_stage": [
            *shared,
            "strategy=top_k",
            f"strategy.phases.0.train=[head,'{workload['tlx_last_stage']}']",
            _ONE,
        ],
        "gradual": [*shared, "strategy=gradual_unfreezing", f"backbone.stages=[{cut}]", _ONE],  # head: 20%, then levels
    }


_ONE = "strategy.backbone_lr=null"  # one rate for the head and what thaws


def _check(mode: str, built: TrialComponents, work: dict[str, Any], state: dict[str, Tensor]) -> None:
    """Raise unless tlx builds what the folder says."""
    counts, model = dict(built.data.schema.counts), built.module.model
    match = built.backbone.match
    assert match is not None
    assert match.matched == match.total, match
    assert not match.unexpected, match
    assert model.head.weight.shape == (work["classes"], work["width"]), model.head
    assert counts == work["examples"], counts
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.backbone.state_dict().items()), "weights"
    wanted = [[], *work["levels"]] if mode == "gradual" else [work["last_stage"] if mode == "last_stage" else []]
    assert len(built.phases) == len(wanted), [phase.name for phase in built.phases]
    paths: list[str] = []
    for phase, added in zip(built.phases, wanted, strict=True):
        paths += [f"backbone.{path}" for path in added]
        inside = {n for n, _ in model.named_parameters() if any(n == p or n.startswith(f"{p}.") for p in paths)}
        assert phase.trainable == inside | {"head.weight", "head.bias"}, (phase.name, phase.trainable ^ inside)


def main() -> None:
    """Make the workloads asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=[], metavar="NAME", help=f"of {', '.join(WORKLOADS)}; default all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.names or WORKLOADS:
        work = make(name, arguments.folder / name)
        print(f"{name}: {work['examples']}, {work['classes']} classes, {work['width']} features")


if __name__ == "__main__":
    main()
