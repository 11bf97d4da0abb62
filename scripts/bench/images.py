"""How fast images become numbers: training and frozen passes from JPEGs, beside plain Lightning and timm's loader.

``python scripts/bench/images.py FOLDER [--repeats 5] [--images 128] [--model resnet18] [--before CHECKOUT]`` makes
JPEGs of 500 x 375 and tiles of six bands of 16 bits in FOLDER, runs each arm in a process of its own, in turn, and
prints images per second: median and range. ``--before`` adds the arms of another checkout of tlx. On a GPU:
``--model resnet50 --images 4096 --batch 64 --workers 14 --precision bf16-mixed``.

Arms: *alone* has a batch on the device already; *load* makes batches and throws them away; *frozen* passes every
image through the backbone without gradients; *train* takes optimizer steps. ``--warm`` batches are left out at first.
Of *train tlx*: *flip_crop* augments, *never* allows kernels that are not deterministic, *map* keeps decoded images.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tlx.training.callbacks.callback import Callback
from tlx.training.callbacks.context import Context

SIZE, CLASSES, BANDS, SIDE = (375, 500), 4, 6, 224
ARMS = {
    "jpeg": (
        *("alone frozen", "alone train", "load tlx", "load pil", "frozen tlx", "frozen lightning", "frozen timm"),
        *("train tlx", "train tlx flip_crop", "train tlx never", "train tlx map", "train lightning", "train timm"),
    ),
    "tiles": ("load tlx", "frozen tlx", "frozen lightning", "train tlx", "train lightning"),
}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Stopwatch:
    """Takes the time from the end of the first steps, which are left out, to the end of the last."""

    def __init__(self, warm: int, steps: int) -> None:
        self.ends, self.done, self.times = (warm, warm + steps), 0, [0.0]

    def step(self) -> None:
        """A step is done; a device is waited for at both ends alone."""
        self.done += 1
        if self.done in self.ends:
            _wait()
            self.times.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """Between both ends."""
        return self.times[-1] - self.times[-2]


@dataclass
class Options:
    """Of the callback."""

    warm: int = 2
    steps: int = 8


class Timed(Callback):
    """Has a stopwatch."""

    stopwatch: Stopwatch

    def __init__(self, options: Options) -> None:
        type(self).stopwatch = Stopwatch(options.warm, options.steps)

    def on_step(self, ctx: Context) -> None:
        """Count it."""
        self.stopwatch.step()


def make(folder: Path, count: int) -> None:
    """Fill the folder, unless it is full."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for kind in ("jpeg", "tiles"):
        for i in range(count):
            path = folder / kind / f"class_{i % CLASSES}" / f"{i}.{'jpg' if kind == 'jpeg' else 'npy'}"
            if path.exists():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            channels, top = (3, 255) if kind == "jpeg" else (BANDS, 4095)
            coarse = rng.random((SIZE[0] // 8 + 1, SIZE[1] // 8 + 1, channels))
            smooth = (
                np.kron(coarse, np.ones((8, 8, 1)))[: SIZE[0], : SIZE[1]] * 0.8 + rng.random((*SIZE, channels)) * 0.2
            )
            values = (smooth * top).astype(np.uint8 if kind == "jpeg" else np.uint16)
            if kind == "jpeg":
                Image.fromarray(values).save(path, quality=90)
            else:
                np.save(path, values)


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


def tlx_load(asked: argparse.Namespace) -> float:
    """Batches alone."""
    found = built(asked)
    with closing(found.data):
        return _timed(batches_of(found, asked.steps + asked.warm), len, asked)


def tlx_frozen(asked: argparse.Namespace) -> float:
    """Batches through the backbone."""
    import torch

    found = built(asked)
    device = _device()
    model = found.module.model.to(device).eval()

    def step(batch: Any) -> int:
        with torch.no_grad(), _autocast(asked):
            model.backbone_features(batch.to(device).inputs)
        return len(batch)

    with closing(found.data):
        return _timed(batches_of(found, asked.steps + asked.warm), step, asked)


def tlx_train(asked: argparse.Namespace, way: str) -> float:
    """``tlx.train``, timed by a callback."""
    import tlx

    tlx.register.callback("timed", config=Options, capabilities={"trainable", "cacheable"})(Timed)
    steps = asked.steps + asked.warm
    more = [f"strategy.budget={steps} steps", f"strategy.validate_every={steps} steps"]
    more += {
        "never": ["hardware.deterministic=never"],
        "map": ["hardware.image_memory=4.0"],
        "flip_crop": ["dataset.augment=flip_crop"],
        "": [],
    }[way]
    more += [f"callbacks.timed={{warm: {asked.warm}, steps: {asked.steps}}}"]
    with tempfile.TemporaryDirectory() as output:
        tlx.train(words(asked, "strategy=fine_tune", f"output={output}", *more))
    return asked.batch * asked.steps / Timed.stopwatch.seconds


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


def others_frozen(asked: argparse.Namespace, loader: Iterable[Any]) -> float:
    """Batches through the backbone."""
    import torch

    model = network(asked, head=False).eval()

    def step(batch: Any) -> int:
        images = batch[0].to(_device(), non_blocking=True, memory_format=torch.channels_last)
        with torch.no_grad(), _autocast(asked):
            model(images)
        return len(images)

    return _timed(_endless(loader, asked.steps + asked.warm), step, asked)


def lightning_train(asked: argparse.Namespace, loader: Iterable[Any]) -> float:
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
        max_steps=asked.steps + asked.warm,
        precision=asked.precision,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), loader)
    return asked.batch * asked.steps / stopwatch.seconds


def alone(asked: argparse.Namespace, train: bool) -> float:
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

    return _timed([images] * (asked.steps + asked.warm), step, asked)


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


def _timed(batches: Iterable[Any], step: Callable[[Any], object], asked: argparse.Namespace) -> float:
    """Images per second, without the first batches."""
    stopwatch = Stopwatch(asked.warm, asked.steps)
    for batch in batches:
        step(batch)
        stopwatch.step()
    return asked.batch * asked.steps / stopwatch.seconds


def work(asked: argparse.Namespace) -> float:
    """One arm in this process."""
    import warnings

    warnings.simplefilter("ignore")
    what, _, way = asked.arm.partition(" ")
    train = what == "train"
    if what == "alone":
        return alone(asked, way == "train")
    if way.startswith("tlx"):
        if train:
            return tlx_train(asked, way.partition(" ")[2])
        return tlx_load(asked) if what == "load" else tlx_frozen(asked)
    loader = timm_loader(asked, train) if way == "timm" else usual_loader(asked, train)
    if what == "load":
        return _timed(_endless(loader, asked.steps + asked.warm), len, asked)
    return lightning_train(asked, loader) if train else others_frozen(asked, loader)


def measure(asked: argparse.Namespace) -> None:
    """All arms in turn, and a table."""
    make(asked.folder, asked.images)
    print("| images | arm | images/s | range |\n|---|---|---|---|", flush=True)
    for kind in asked.kinds:
        wanted = [arm for arm in ARMS[kind] if not asked.arms or arm in asked.arms]
        ways = [(arm, "") for arm in wanted]
        ways += [(arm, asked.before) for arm in wanted if " tlx" in arm and asked.before]
        found: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
        for _ in range(asked.repeats):
            for way in ways:
                arm, checkout = way
                command = [sys.executable, __file__, str(asked.folder), "--arm", arm, "--kind", kind]
                command += ["--model", asked.model, "--batch", str(asked.batch), "--precision", asked.precision]
                command += ["--is-before"] if checkout else []
                command += ["--warm", str(asked.warm), "--steps", str(asked.steps or asked.images // asked.batch)]
                command += ["--workers", str(asked.workers)] if asked.workers is not None else []
                with tempfile.TemporaryDirectory() as cache:
                    environment = {**os.environ, "TLX_CACHE": cache}
                    environment |= {"PYTHONPATH": checkout} if checkout else {}
                    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
                if done.returncode:
                    print(done.stderr[-2000:], file=sys.stderr)
                    continue
                found[way].append(json.loads(done.stdout.splitlines()[-1]))
        for (arm, checkout), rates in found.items():
            if rates:
                spread = f"{min(rates):.1f} to {max(rates):.1f}"
                print(
                    f"| {kind} | {arm}{' before' if checkout else ''} | {statistics.median(rates):.1f} | {spread} |",
                    flush=True,
                )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--images", type=int, default=128, help="made, and passed through in each arm")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--workers", type=int, help="of every loader; none: two of others', what tlx finds")
    parser.add_argument("--warm", type=int, default=2, help="batches left out at first")
    parser.add_argument("--steps", type=int, help="batches of an arm; none: as many as there are")
    parser.add_argument("--before", default="", help="another checkout of tlx")
    parser.add_argument("--kinds", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--arms", nargs="+", default=[], help="some of them alone")
    parser.add_argument("--arm", help=argparse.SUPPRESS)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    parser.add_argument("--is-before", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.arm:
        print(json.dumps(work(asked)))
    else:
        measure(asked)


if __name__ == "__main__":
    main()
