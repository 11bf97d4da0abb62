"""Two tiny exported models, made once: one of images, one of texts."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import mlflow
import pytest

import tlx
from tlx.serving import bundle, mlmodel, registry
from tlx.training.locate import locate
from tlx.training.network import trained

_IMAGES = ("backbone=narrow_resnet", "dataset=digits", "dataset.shots=4")
_TEXTS = ("backbone=narrow_bert", "dataset=csv")
_SHORT = ("strategy=scratch", "strategy.budget=4 steps", "strategy.batch_size=16", "strategy.validate_every=2 steps")


@dataclass(frozen=True)
class Exported:
    """Where a trial and what was made of it lie; tests copy before they alter anything."""

    run: Path
    bundle: Path

    def copy(self, place: Path) -> Path:
        """The bundle in a folder of its own."""
        return Path(shutil.copytree(self.bundle, place))

    def mlflow(self, place: Path) -> Path:
        """The bundle as an MLflow model, as ``tlx export`` logs it."""
        mlflow.pyfunc.save_model(
            place, loader_module=mlmodel.LOADER, data_path=str(self.bundle), pip_requirements=registry.requirements()
        )
        return place


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A model of images."""
    return _pictures(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A model of texts, which reads bytes."""
    return _texts(tmp_path_factory.getbasetemp())


@cache
def _pictures(base: Path) -> Exported:
    place = Path(mkdtemp(dir=base, prefix="pictures"))
    return _made(place, *_IMAGES)


@cache
def _texts(base: Path) -> Exported:
    place = Path(mkdtemp(dir=base, prefix="texts"))
    rows = [
        f"the {'good' if i % 2 else 'bad'} {word},{'pos' if i % 2 else 'neg'}" for i, word in enumerate("abcdefgh" * 4)
    ]
    (place / "texts.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return _made(place, *_TEXTS, f"dataset.file={place / 'texts.csv'}")


def _made(place: Path, *words: str) -> Exported:
    quiet = ("tracking=none", "hardware.threads=1", f"output={place / 'runs'}")
    trial = tlx.compose([*words, *_SHORT, *quiet])
    tlx.train(trial)
    run = locate(trial).path
    bundle.write(trained(run), run, place / "bundle")
    return Exported(run, place / "bundle")
