"""A trial's run folder: a pure function of its identity. ``result.json`` in it means finished."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tlx.config.errors import ConfigError, Problem
from tlx.config.identity import identity
from tlx.config.machine import shares
from tlx.config.schema import Trial, as_yaml
from tlx.data.fingerprint import content_hash, fingerprint
from tlx.files import durable, foreign
from tlx.record import sheet
from tlx.record.seal import opened, sealed
from tlx.trial.lock import is_locked, locked

_LONGEST_CONFIG = 1 << 20  # bytes
RESULT, PREPARED, CONFIG = "result.json", "result.json.partial", "config.yaml"
STATES = ("state.pt", "state.before.pt")  # the last one to go on from, and the one before it
CHECKPOINT, PREDICTIONS, SCHEDULE = "checkpoint.safetensors", "predictions.jsonl", "schedule.svg"
GROUP, BATCH = "together.json", "nan_batch.safetensors"
# the trial's files
OWN = (RESULT, PREPARED, CONFIG, *STATES, CHECKPOINT, PREDICTIONS, SCHEDULE, GROUP, BATCH, sheet.FILE)


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
    # what else the folder holds, each with its bytes
    files: dict[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Folder:
    """Where one trial lives."""

    path: Path
    identity: str
    name: str
    facts: dict[str, str]
    reproduces: str = ""  # the folder of the run this one repeats

    def result(self) -> Result | None:
        """The recorded result, if the trial is finished; one that is not what was written is none."""
        return result_in(self.path)

    def finish(self, result: Result) -> None:
        """Record the result, the last of all files: from now on the trial is finished."""
        durable.write(self.path / RESULT, sealed(json.dumps(asdict(result), indent=2)))

    def prepare(self, result: Result) -> None:
        """Write the result beside its place."""
        durable.write(self.path / PREPARED, sealed(json.dumps(asdict(result), indent=2)))

    def settle(self) -> None:
        """Put the result in its place: from now on the trial is finished."""
        durable.move(self.path / PREPARED, self.path / RESULT)

    def lock(self) -> AbstractContextManager[None]:
        """Keep other processes out while this one runs the trial; raises :class:`Busy`."""
        return locked(self.path, self.name)

    def is_busy(self) -> bool:
        """Does another process run this trial now?"""
        return is_locked(self.path)


def hashes(folder: Path) -> dict[str, str]:
    """Of the final weights and the predictions: two trials are the same bit for bit where these are."""
    named = {"weights_sha": folder / CHECKPOINT, "predictions_sha": folder / PREDICTIONS}
    return {name: content_hash(path) for name, path in named.items() if path.is_file()}


def read_result(folder: Path) -> Result:
    """The result recorded in a run folder; raises :class:`ConfigError` for one that is not what was written."""
    result = result_in(folder)
    if result is None:
        message = f"{incomplete(folder) or 'is torn or was altered'}; the trial's command makes it again"
        raise ConfigError([Problem(RESULT, message, folder)])
    return result


def result_in(folder: Path, *, prepared: bool = False) -> Result | None:
    """The result in a run folder (or beside its place), if it is what was written, and so are the files it names."""
    result = _recorded(folder / (PREPARED if prepared else RESULT))
    return result if result is not None and not _lacks(folder, result) else None


def incomplete(folder: Path) -> str:
    """What is missing of a trial that was finished once; empty where nothing is, or it never was."""
    result = _recorded(folder / RESULT)
    return _lacks(folder, result) if result is not None else ""


def _recorded(path: Path) -> Result | None:
    try:
        row = opened(foreign.read(path).decode(errors="replace"))
    except (FileNotFoundError, foreign.Unreadable):
        return None
    if row is None or not foreign.conforms(row, Result):
        return None
    result = Result(**row)
    is_here = foreign.is_name(result.folder) and set(result.files) <= set(OWN)
    return result if is_here else None


def _lacks(folder: Path, result: Result) -> str:
    """The first file that is not there as the result names it."""
    for name, count in result.files.items():
        try:
            found = os.lstat(folder / name)
        except OSError as error:
            return f"{name} is gone" if error.errno == errno.ENOENT else f"{name}: {error.strerror}"
        if not stat.S_ISREG(found.st_mode):
            return f"{name} is no regular file"
        if found.st_size != count:
            return f"{name} has {found.st_size} bytes, {count} were written"
    return ""


def set_aside(folder: Path) -> str:
    """Keep the result of a finished trial whose files are not as it names them; the name it has then."""
    number = 1
    while (kept := folder / f"result.incomplete.{number}.json").exists() or kept.is_symlink():
        number += 1
    durable.move(folder / RESULT, kept)
    return kept.name


def left_over(folder: Path) -> bool:
    """Has a writer that was killed left something beside the trial's files?"""
    return bool(durable.left_over(folder, OWN))


def manifest(folder: Path) -> dict[str, int]:
    """The files a finished trial promises, with their bytes."""
    named = (folder / name for name in (CONFIG, CHECKPOINT, PREDICTIONS, SCHEDULE, sheet.FILE))
    return {path.name: path.stat().st_size for path in named if path.is_file()}


def locate(trial: Trial) -> Folder:
    """The folder of a trial; reads data files to fingerprint them, imports no torch."""
    _refuse_circles(trial)
    facts = {"data": fingerprint(trial.dataset), "weights": weights_key(trial)}
    local = _local_model(trial)
    if local is not None:
        facts["backbone"] = _folder_hash(local)
    count = shares(trial.hardware)  # each has its own BatchNorm statistics and draws of dropout
    key = identity(_settled(trial), facts | ({"shares": str(count)} if count > 1 else {}))
    name = readable_name(trial)
    return Folder(Path(trial.output).expanduser().resolve() / f"{name}-{key[:12]}", key, name, facts)


def _settled(trial: Trial) -> Trial:
    """The trial without choices that make no difference to it, and without places whose content is among the facts."""
    backbone = trial.backbone
    if trial.strategy.init == "scratch":
        backbone = replace(backbone, weights="none", weights_prefix=None)
    else:
        backbone = replace(backbone, weights="")
    if _local_model(trial) is not None:
        backbone = replace(backbone, name="")
    return replace(trial, backbone=backbone)


def _local_model(trial: Trial) -> Path | None:
    """The folder a transformers backbone is read from, if its name is one."""
    folder = Path(trial.backbone.name).expanduser()
    return folder if trial.backbone.kind == "transformers" and folder.is_dir() else None


def _folder_hash(folder: Path) -> str:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return hashlib.sha256("\n".join(f"{p.name}|{content_hash(p)}" for p in files).encode()).hexdigest()[:32]


def _refuse_circles(trial: Trial) -> None:
    """An experiment that starts from itself, by whatever way, has no beginning."""
    seen: list[str] = []
    while trial.strategy.init == "pretrained" and trial.backbone.weights.startswith("trial:"):
        if trial.backbone.weights in seen:
            path = " -> ".join([*seen, trial.backbone.weights])
            raise ConfigError([Problem("backbone.weights", f"starts from itself: {path}", seen[0])])
        seen.append(trial.backbone.weights)
        trial = experiment(trial.backbone.weights, trial)


def readable_name(trial: Trial) -> str:
    """``resnet18-fine_tune-digits-k5-s0``; with ``-x2`` where each batch is cut in two."""
    backbone = trial.backbone.alias or Path(trial.backbone.name).name
    shots = f"-k{trial.dataset.shots}" if trial.dataset.shots is not None else ""
    cut = f"-x{count}" if (count := shares(trial.hardware)) > 1 else ""
    dataset = Path(trial.dataset.name).name
    name = f"{backbone}-{trial.strategy.name}-{dataset}{shots}-s{trial.seed}{cut}"
    return "".join("_" if letter in "/ " or not letter.isprintable() else letter for letter in name)


def weights_key(trial: Trial) -> str:
    """What the pretrained weights are: a hash of their content, or the name they are published under."""
    weights = trial.backbone.weights
    if trial.strategy.init == "scratch" or weights == "none":
        return "none"
    if weights.startswith("trial:"):
        return f"trial:{locate(experiment(weights, trial)).identity}"
    if weights.startswith("mlflow:"):
        return weights
    local = _local_model(trial) if weights == "hub" else Path(weights).expanduser()
    if local is None:
        return f"hub:{trial.backbone.name}"
    return _folder_hash(local) if local.is_dir() else content_hash(local)


def experiment(weights: str, trial: Trial) -> Trial:
    """The trial behind ``trial:<experiment>``, in the same output folder."""
    return _experiment(weights.removeprefix("trial:"), trial.output, str(Path.cwd()))


@cache
def _experiment(name: str, output: str, _cwd: str) -> Trial:
    """Composed once: a sweep asks for it with every trial."""
    from tlx.config.compose import compose
    from tlx.config.rules import alone

    found = compose([f"experiment={name}", f"output={json.dumps(output)}"])
    alone(found)
    return found


def write_config(folder: Path, trial: Trial) -> None:
    """The resolved configuration, readable and complete; that of a finished trial stays as it is."""
    if result_in(folder) is not None:
        return
    durable.write(folder / CONFIG, as_yaml(trial))


def read_config(folder: Path) -> Trial:
    """The configuration a run folder was made from; raises :class:`ConfigError` where it cannot be read.

    It is plain data: an interpolation, which would read this machine's environment, is refused.
    """
    from tlx.config.schema import GROUPS

    try:
        text = foreign.text(folder / CONFIG, _LONGEST_CONFIG)
        if "${" in text:
            raise foreign.Unreadable("holds an interpolation (${...}), and no recorded configuration has one")
        plain: Any = foreign.yaml_value(text)
        schema = OmegaConf.structured(Trial)
        for group in ("backbone", "dataset", "task"):
            schema[group] = OmegaConf.structured(GROUPS[group][plain[group]["kind"]])
        schema.strategy = OmegaConf.structured(GROUPS["strategy"]["phased"])
        trial = OmegaConf.to_object(OmegaConf.merge(schema, plain))
    except (OSError, OmegaConfBaseException, LookupError, TypeError, ValueError, AttributeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError([Problem(CONFIG, f"cannot be read: {reason}", folder)]) from error
    assert isinstance(trial, Trial)
    return trial
