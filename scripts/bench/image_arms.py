"""The arms of images.py: each is run in a process of its own, which takes turns with the others.

``python scripts/bench/image_arms.py JSON`` prints how long its steps took whenever it has taken them, and waits for a
line before it goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from images import BANDS, CLASSES, READY, SAID

from tlx.training.callbacks.callback import Callback
from tlx.training.callbacks.context import Context

SIDE = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Stopwatch:
    """Waits for a turn, leaves some steps out, and says how long those after them took."""

    def __init__(self, warm: int, steps: int) -> None:
        self._warm, self._steps, self._done, self._began = warm, steps, 0, 0.0

    def step(self) -> None:
        """A step is done; a device is waited for at both ends alone."""
        if self._done == 0:
            _wait()
            print(READY, flush=True)
            sys.stdin.readline()
        self._done += 1
        if self._done == self._warm:
            _wait()
            self._began = time.perf_counter()
        elif self._done == self._warm + self._steps:
            _wait()
            print(f"{SAID}{time.perf_counter() - self._began}", flush=True)
            self._done = 0


@dataclass
class Options:
    """Of the callback."""

    warm: int = 2
    steps: int = 8


class Timed(Callback):
    """Has a stopwatch."""

    def __init__(self, options: Options) -> None:
        self._stopwatch = Stopwatch(options.warm, options.steps)

    def on_step(self, ctx: Context) -> None:
        """Count it."""
        self._stopwatch.step()


# -- tlx -----------------------------------------------------------------------------------------------------------


def words(asked: argparse.Namespace, *more: str) -> list[str]:
    """A trial of the images."""
    found = ["backbone=timm", f"backbone.name={asked.model}", "backbone.weights=none", "strategy.init=scratch"]
    found += [
        "dataset=imagefolder",
        f"dataset.root={asked.folder / asked.kind}",
        "dataset.val=0.1",
        "dataset.test=0.1",
    ]
    found += [f"strategy.batch_size={asked.batch}", "tracking=none", "strategy.audit=off", "reuse.when=off"]
    found += ["checkpoint.every_minutes=null", f"hardware.precision={asked.precision}"]
    if not asked.is_before:
        found.append("hardware.image_memory=0")  # every image is decoded each time, as by the others
    if asked.workers is not None:
        found.append(f"hardware.workers={asked.workers}")
    return [*found, *more]


def built(asked: argparse.Namespace, *more: str) -> Any:
    """Its parts."""
    import tlx
    from tlx.training.build import build

    return build(tlx.compose(words(asked, "strategy=feature_extraction", *more)))


def batches_of(found: Any, count: int) -> Iterable[Any]:
    """Training batches, epoch after epoch."""
    return found.data.train_loader(found.module.epochs, 0, count, plain=True)  # type: ignore[no-any-return]


def tlx_load(asked: argparse.Namespace) -> None:
    """Batches alone."""
    found = built(asked)
    with closing(found.data):
        _timed(batches_of(found, asked.total), len, asked)


def tlx_frozen(asked: argparse.Namespace) -> None:
    """Batches through the backbone."""
    import torch

    found = built(asked)
    device = _device()
    model = found.module.model.to(device).eval()

    def step(batch: Any) -> int:
        with torch.no_grad(), _autocast(asked):
            model.backbone_features(batch.to(device, non_blocking=True).inputs)
        return len(batch)

    with closing(found.data):
        _timed(batches_of(found, asked.total), step, asked)


def tlx_train(asked: argparse.Namespace, way: str) -> None:
    """``tlx.train``, timed by a callback."""
    import tlx

    tlx.register.callback("timed", config=Options, capabilities={"trainable", "cacheable"})(Timed)
    more = [f"strategy.budget={asked.total} steps", f"strategy.validate_every={asked.total} steps"]
    known = {
        "never": "hardware.deterministic=never",
        "map": "hardware.image_memory=4.0",
        "flip_crop": "dataset.augment=flip_crop",
    }
    more += [known.get(word, word) for word in way.split()]
    more += [f"callbacks.timed={{warm: {asked.warm}, steps: {asked.steps}}}"]
    with tempfile.TemporaryDirectory() as output:
        tlx.train(words(asked, "strategy=fine_tune", f"output={output}", *more))


# -- others --------------------------------------------------------------------------------------------------------


def usual_loader(asked: argparse.Namespace, train: bool) -> Iterable[Any]:
    """ImageFolder, PIL, torchvision's usual transforms, persistent workers, pinned memory."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import DatasetFolder, ImageFolder

    root = str(asked.folder / asked.kind)
    if asked.kind == "jpeg":
        crop = (
            [transforms.RandomResizedCrop(SIDE), transforms.RandomHorizontalFlip()]
            if train
            else [transforms.Resize(256)]
        )
        crop += [] if train else [transforms.CenterCrop(SIDE)]
        data: Any = ImageFolder(
            root, transforms.Compose([*crop, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
        )
    else:

        def read(path: str) -> torch.Tensor:
            image = torch.from_numpy(np.load(path).astype(np.float32)).permute(2, 0, 1) / 4095
            resized = transforms.functional.resize(image, [256], antialias=True)
            return transforms.functional.center_crop((resized - 0.5) / 0.25, [SIDE])

        data = DatasetFolder(root, read, extensions=(".npy",))
    workers = (2 if asked.workers is None else asked.workers) if asked.workers != 0 else 0
    return DataLoader(
        data,
        batch_size=asked.batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=_device() == "cuda",
    )


def timm_loader(asked: argparse.Namespace, train: bool) -> Iterable[Any]:
    """timm's own."""
    from timm.data import create_dataset, create_loader

    data = create_dataset("", root=str(asked.folder / asked.kind), split="train", class_map="")
    loader: Iterable[Any] = create_loader(
        data,
        (3, SIDE, SIDE),
        asked.batch,
        is_training=train,
        use_prefetcher=_device() == "cuda",
        num_workers=2 if asked.workers is None else asked.workers,
        persistent_workers=bool(asked.workers is None or asked.workers),
        device=__import__("torch").device(_device()),
    )
    return loader


def network(asked: argparse.Namespace, head: bool) -> Any:
    """timm's network, channels last."""
    import timm
    import torch

    channels = 3 if asked.kind == "jpeg" else BANDS
    model = timm.create_model(asked.model, num_classes=CLASSES if head else 0, in_chans=channels)
    return model.to(_device(), memory_format=torch.channels_last)


def others_frozen(asked: argparse.Namespace, loader: Iterable[Any]) -> None:
    """Batches through the backbone."""
    import torch

    model = network(asked, head=False).eval()

    def step(batch: Any) -> int:
        images = batch[0].to(_device(), non_blocking=True, memory_format=torch.channels_last)
        with torch.no_grad(), _autocast(asked):
            model(images)
        return len(images)

    _timed(_endless(loader, asked.total), step, asked)


def lightning_train(asked: argparse.Namespace, loader: Iterable[Any]) -> None:
    """Thirty lines of Lightning."""
    import pytorch_lightning as lightning
    import torch

    stopwatch = Stopwatch(asked.warm, asked.steps)
    model = network(asked, head=True)

    class Module(lightning.LightningModule):
        """A network that learns."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: Any, number: int) -> Any:
            """Cross entropy."""
            images = batch[0].contiguous(memory_format=torch.channels_last)
            return torch.nn.functional.cross_entropy(self.model(images), batch[1])

        def on_train_batch_end(self, *arguments: Any) -> None:
            """Count it."""
            stopwatch.step()

        def configure_optimizers(self) -> Any:
            """AdamW."""
            return torch.optim.AdamW(self.parameters(), lr=1e-3)

    trainer = lightning.Trainer(
        max_steps=asked.total,
        precision=asked.precision,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), loader)


def alone(asked: argparse.Namespace, train: bool) -> None:
    """A batch that is there."""
    import torch

    model = network(asked, head=train).train(train)
    channels = 3 if asked.kind == "jpeg" else BANDS
    images = torch.randn(asked.batch, channels, SIDE, SIDE, device=_device()).contiguous(
        memory_format=torch.channels_last
    )
    labels = torch.arange(asked.batch, device=_device()) % CLASSES
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step(batch: Any) -> int:
        with torch.set_grad_enabled(train), _autocast(asked):
            outputs = model(batch)
        if train:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(outputs.float(), labels).backward()
            optimizer.step()
        return len(batch)

    _timed([images] * (asked.total), step, asked)


# -- timing --------------------------------------------------------------------------------------------------------


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _autocast(asked: argparse.Namespace) -> Any:
    import torch

    return torch.autocast(_device(), torch.bfloat16, enabled=asked.precision == "bf16-mixed")


def _wait() -> None:
    import torch

    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _endless(loader: Iterable[Any], count: int) -> Iterable[Any]:
    while count > 0:
        for batch in loader:
            yield batch
            count -= 1
            if count == 0:
                return


def _timed(batches: Iterable[Any], step: Callable[[Any], object], asked: argparse.Namespace) -> None:
    """Steps, watched."""
    stopwatch = Stopwatch(asked.warm, asked.steps)
    for batch in batches:
        step(batch)
        stopwatch.step()


def work(asked: argparse.Namespace) -> None:
    """The steps of an arm."""
    warnings.simplefilter("ignore")
    what, _, way = asked.arm.partition(" ")
    train = what == "train"
    if what == "alone":
        alone(asked, train=way == "train")
    elif way.startswith("tlx"):
        if train:
            tlx_train(asked, way.partition(" ")[2])
        else:
            (tlx_load if what == "load" else tlx_frozen)(asked)
    else:
        loader = timm_loader(asked, train) if way == "timm" else usual_loader(asked, train)
        if what == "load":
            _timed(_endless(loader, asked.total), len, asked)
        else:
            (lightning_train if train else others_frozen)(asked, loader)


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    work(argparse.Namespace(**settings | {"folder": Path(settings["folder"])}))
