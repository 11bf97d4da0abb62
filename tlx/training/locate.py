"""Where a trial lives: a function of its configuration and of what that points at, the data and the weights.

Where it was begun in the same output folder under another name, it lives there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from tlx.components.parts import CODE, code, numerics
from tlx.composition.compose import compose
from tlx.composition.rules import refuse_many_trials
from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigError, ConfigIssue, RequestError
from tlx.config.identity import identity
from tlx.config.machine import num_micro_batches
from tlx.config.schema import Trial
from tlx.data.fingerprint import fingerprint
from tlx.files import regular
from tlx.files.content_hash import content_hash
from tlx.runs.find_folder import find_folder
from tlx.runs.folder import RunFolder
from tlx.training import earlier_runs

_DRAWS = "weights of an earlier trial"
_TRIAL = "trial:"


def locate(trial: Trial) -> RunFolder:
    """The folder of a trial; reads data files to fingerprint them, imports no torch."""
    _refuse_circles(trial)
    source = source_of(trial)
    fingerprints = {"data": fingerprint(trial.dataset), "weights": weights_key(trial, source)}
    local = _local_model(trial)
    if local is not None:
        fingerprints["backbone"] = _folder_hash(local)
    fingerprints |= {f"{CODE}{top}": found for top, found in code(trial).items()}
    count = num_micro_batches(trial.hardware)  # each has its own BatchNorm statistics and draws of dropout
    versions = numerics(trial) | ({_DRAWS: 2} if _takes_a_run(trial) else {})
    key = identity(_settled(trial), fingerprints | ({"micro_batches": str(count)} if count > 1 else {}), versions)
    name = readable_name(trial)
    path = find_folder(Path(trial.output).expanduser().resolve(), name, key)
    return RunFolder(path, key, name, fingerprints, versions, source=source)


def source_of(trial: Trial) -> RunFolder | None:
    """The earlier trial that ``backbone.weights=trial:<experiment>`` names, where this one takes its weights."""
    weights = trial.backbone.weights
    if trial.strategy.init != "pretrained" or not weights.startswith(_TRIAL):
        return None
    return replace(locate(experiment(weights, trial)), experiment=weights.removeprefix(_TRIAL))


def _takes_a_run(trial: Trial) -> bool:
    """Is the backbone that of an earlier trial? Reading it drew random numbers once, which the head then had not."""
    return trial.strategy.init == "pretrained" and trial.backbone.weights.startswith(("trial:", "mlflow:"))


def _settled(trial: Trial) -> Trial:
    """The trial without choices that make no difference to it, and without places whose content has a fingerprint."""
    backbone, strategy, dataset = trial.backbone, trial.strategy, trial.dataset
    if dataset.on_bad == "error":  # over a limit nothing is trained
        dataset = replace(dataset, limits=Limits())
    if earlier_runs.begins_from(trial):
        strategy = replace(strategy, init="run")
    if (averaging := strategy.averaging) is not None:
        usual = replace(averaging, norms="auto")
        if usual.refreshes_norms == averaging.refreshes_norms:
            strategy = replace(strategy, averaging=usual)
    if strategy.init != "pretrained":
        backbone = replace(backbone, weights="none", weights_prefix=None)
    else:
        backbone = replace(backbone, weights="")
    if _local_model(trial) is not None:
        backbone = replace(backbone, name="")
    return replace(trial, backbone=backbone, strategy=strategy, dataset=dataset)


def _local_model(trial: Trial) -> Path | None:
    """The folder a transformers backbone is read from, if its name is one."""
    folder = Path(trial.backbone.name).expanduser()
    return folder if trial.backbone.kind == "transformers" and folder.is_dir() else None


def _folder_hash(folder: Path) -> str:
    """Of the files of a model; what is hidden in its folder, or is a page about it, no library reads."""
    read = (path for path in folder.iterdir() if not path.name.startswith(".") and path.suffix.lower() != ".md")
    files = sorted(path for path in read if path.is_file())
    return hashlib.sha256("\n".join(f"{p.name}|{_content_hash(p)}" for p in files).encode()).hexdigest()[:32]


def _content_hash(path: Path) -> str:
    try:
        return content_hash(path)
    except OSError as error:
        raise RequestError([ConfigIssue(str(path), f"cannot be read: {regular.reason(error)}")]) from error


def _refuse_circles(trial: Trial) -> None:
    """An experiment that starts from itself, by whatever way, has no beginning."""
    seen: list[str] = []
    while trial.strategy.init == "pretrained" and trial.backbone.weights.startswith(_TRIAL):
        if trial.backbone.weights in seen:
            path = " -> ".join([*seen, trial.backbone.weights])
            raise ConfigError([ConfigIssue("backbone.weights", f"starts from itself: {path}", seen[0])])
        seen.append(trial.backbone.weights)
        trial = experiment(trial.backbone.weights, trial)


def readable_name(trial: Trial) -> str:
    """``resnet18-fine_tune-digits-k5-s0``; with ``-x2`` where each batch is cut in two."""
    backbone = trial.backbone.alias or Path(trial.backbone.name).name
    shots = f"-k{trial.dataset.shots}" if trial.dataset.shots is not None else ""
    cut = f"-x{count}" if (count := num_micro_batches(trial.hardware)) > 1 else ""
    dataset = Path(trial.dataset.name).name
    name = f"{backbone}-{trial.strategy.name}-{dataset}{shots}-s{trial.seed}{cut}"
    return "".join("_" if letter in "/ " or not letter.isprintable() else letter for letter in name)


def weights_key(trial: Trial, source: RunFolder | None) -> str:
    """What the pretrained weights are: a hash of their content, or the name they are published under.

    Of an earlier trial that ``source`` is, its identity: where a trial lives is known before that one has run. What it
    trained is recorded with what began from it, and compared (:meth:`tlx.runs.folder.RunFolder.result`).
    """
    if begins := earlier_runs.begins_from(trial):
        where = earlier_runs.folder(begins, trial.tracking, "strategy.init")
        return f"run:{earlier_runs.fingerprint(where, 'strategy.init')}"
    weights = trial.backbone.weights
    if trial.strategy.init == "scratch" or weights == "none":
        return "none"
    if earlier_runs.is_named(weights):
        where = earlier_runs.folder(weights, trial.tracking, "backbone.weights")
        return f"run:{earlier_runs.fingerprint(where, 'backbone.weights')}"
    if source is not None:
        return f"{_TRIAL}{source.identity}"
    local = _local_model(trial) if weights == "hub" else Path(weights).expanduser()
    if local is None:
        return f"hub:{trial.backbone.name}"
    return _folder_hash(local) if local.is_dir() else _content_hash(local)


def experiment(weights: str, trial: Trial) -> Trial:
    """The trial behind ``trial:<experiment>``, in the same output folder."""
    return _experiment(weights.removeprefix(_TRIAL), trial.output, str(Path.cwd()))


@cache
def _experiment(name: str, output: str, _cwd: str) -> Trial:
    """Composed once: a sweep asks for it with every trial."""
    found = compose([f"experiment={name}", f"output={json.dumps(output)}"])
    refuse_many_trials(found)
    return found
