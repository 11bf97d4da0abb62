"""A trial's run folder: a pure function of its identity. ``result.json`` in it means finished."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from tlx.config.identity import identity
from tlx.config.schema import Trial
from tlx.data.fingerprint import content_hash, fingerprint

RESULT, CONFIG, CHECKPOINT, PREDICTIONS = "result.json", "config.yaml", "checkpoint.safetensors", "predictions.jsonl"


class Busy(RuntimeError):
    """Another process runs this trial."""


@dataclass(frozen=True)
class Result:
    """What a finished trial found."""

    identity: str
    name: str
    folder: str
    metrics: dict[str, float | None]
    steps: int
    parameters: int
    trained: int
    cpu_seconds: float
    wall_seconds: float
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Folder:
    """Where one trial lives."""

    path: Path
    identity: str
    name: str
    facts: dict[str, str]

    def result(self) -> Result | None:
        """The recorded result, if the trial is finished."""
        return read_result(self.path) if (self.path / RESULT).is_file() else None

    def finish(self, result: Result) -> None:
        """Record the result; the rename makes it all or nothing."""
        partial = self.path / f"{RESULT}.partial"
        with partial.open("w", encoding="utf-8") as stream:
            json.dump(asdict(result), stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(self.path / RESULT)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes out while this one runs the trial; raises :class:`Busy`. Death lets go of it."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("a+", encoding="utf-8") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                stream.seek(0)
                raise Busy(f"{self.name} is being run by process {stream.read().strip() or '?'}") from None
            stream.truncate(0)
            stream.write(str(os.getpid()))
            stream.flush()
            yield


def read_result(folder: Path) -> Result:
    """The result recorded in a run folder."""
    return Result(**json.loads((folder / RESULT).read_text(encoding="utf-8")))


def locate(trial: Trial) -> Folder:
    """The folder of a trial; reads data files to fingerprint them, imports no torch."""
    facts = {"data": fingerprint(trial.dataset), "weights": weights_key(trial)}
    settled = _settled(trial)
    key = identity(settled, facts)
    name = readable_name(trial)
    return Folder(Path(trial.output).expanduser().resolve() / f"{name}-{key[:12]}", key, name, facts)


def _settled(trial: Trial) -> Trial:
    """The trial without choices that make no difference to it."""
    backbone = trial.backbone
    if trial.strategy.init == "scratch":
        backbone = replace(backbone, weights="none", weights_prefix=None)
    else:
        backbone = replace(backbone, weights="")  # a path says where, the fact says what
    return replace(trial, backbone=backbone)


def readable_name(trial: Trial) -> str:
    """``resnet18-fine_tune-digits-k5-s0``."""
    backbone = trial.backbone.alias or Path(trial.backbone.name).name
    shots = f"-k{trial.dataset.shots}" if trial.dataset.shots is not None else ""
    dataset = Path(trial.dataset.name).name
    return f"{backbone}-{trial.strategy.name}-{dataset}{shots}-s{trial.seed}".replace("/", "_").replace(" ", "_")


def weights_key(trial: Trial) -> str:
    """What the pretrained weights are: a hash of their content, or the name they are published under."""
    weights = trial.backbone.weights
    if trial.strategy.init == "scratch" or weights == "none":
        return "none"
    local = Path(trial.backbone.name if weights == "hub" else weights).expanduser()
    if weights.startswith("trial:"):
        return f"trial:{locate(experiment(weights, trial)).identity}"
    if weights.startswith("mlflow:"):
        return weights
    if local.is_dir():
        return "+".join(content_hash(p) for p in sorted(local.iterdir()) if p.is_file())
    if local.is_file():
        return content_hash(local)
    return f"hub:{trial.backbone.name}"


def experiment(weights: str, trial: Trial) -> Trial:
    """The trial behind ``trial:<experiment>``, in the same output folder."""
    return _experiment(weights.removeprefix("trial:"), trial.output, str(Path.cwd()))


@cache
def _experiment(name: str, output: str, _cwd: str) -> Trial:
    """Composed once: a sweep asks for it with every trial."""
    from tlx.config.compose import compose

    return compose([f"experiment={name}", f"output={json.dumps(output)}"])


def write_config(folder: Path, trial: Trial) -> None:
    """The resolved configuration, readable and complete."""
    text = yaml.safe_dump(asdict(trial), sort_keys=False, allow_unicode=True)
    (folder / CONFIG).write_text(text, encoding="utf-8")


def read_config(folder: Path) -> Trial:
    """The configuration a run folder was made from."""
    from tlx.config.schema import GROUPS

    plain: Any = OmegaConf.to_container(OmegaConf.load(folder / CONFIG))
    schema = OmegaConf.structured(Trial)
    for group in ("backbone", "dataset", "task"):
        schema[group] = OmegaConf.structured(GROUPS[group][plain[group]["kind"]])
    schema.strategy = OmegaConf.structured(GROUPS["strategy"]["phased"])
    trial = OmegaConf.to_object(OmegaConf.merge(schema, plain))
    assert isinstance(trial, Trial)
    return trial
