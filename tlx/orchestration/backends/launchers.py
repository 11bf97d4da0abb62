"""Where a sweep's trials run: ``hydra/launcher=local``, the default, ``slurm`` or ``ray``; ``hydra.launcher.*``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from omegaconf import OmegaConf

from tlx.components.registry import of_group
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.fields import RANGE, option

_GROUP = "hydra/launcher"


@dataclass
class Local:
    """On this machine, each trial in a clean process."""

    n_jobs: int | None = option(
        None, "trials at once; null: one per GPU where there are any, else one per core", least=1
    )
    timeout: float | None = option(
        None,
        "minutes after which a trial is ended and counts as failed; it goes on from its saved state when run again",
        least=0,
    )


@dataclass
class Slurm:
    """One array of jobs per kind of hardware; submitting returns at once, ``tlx status`` follows."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    time: str | None = option(
        None, "of one trial, as sbatch writes it: minutes, H:M:S or D-H:M:S; null: the partition's"
    )
    mem: str | None = option(None, "of one node, as sbatch writes it: 16G; null: the partition's")
    cpus_per_task: int = option(1, "of one process, that is per device", least=1)
    throttle: int | None = option(None, "trials at once; null: as many as the cluster lets run", least=1)
    warning: int = option(
        120,
        "seconds before the time limit at which a trial saves its state and asks to be queued again",
        least=0,
    )
    requeue: bool = option(True, "queue a trial again after its time limit, preemption, or the loss of its node")
    extra: list[str] = option(help="further sbatch options, each as it stands after #SBATCH", factory=list)
    setup: list[str] = option(help="shell lines before the trial: module load cuda", factory=list)


@dataclass
class Ray:
    """Tasks of a Ray cluster that is running, or of one started on this machine; the command stays (``tlx[ray]``)."""

    address: str | None = option(
        None,
        "of the running cluster: host:port, auto, or ray://...; null: RAY_ADDRESS, or one found here, or a new one",
    )
    n_jobs: int | None = option(None, "devices at work at once; null: as many as the cluster holds now", least=1)
    timeout: float | None = option(
        None,
        "minutes after which a trial is ended and counts as failed; it goes on from its saved state when run again",
        least=0,
    )
    cpus: int = option(1, "of one process, that is per device: its threads, and what it takes of the cluster", least=1)
    resources: dict[str, float] = option(
        help="further resources a trial takes, by the cluster's names: {fast_disk: 1}", factory=dict
    )


Launcher = Local | Ray  # those whose command stays until all is done; one of somebody's own is a Local
_OURS: dict[str, type] = {"local": Local, "slurm": Slurm, "ray": Ray}
_REFUSED = {
    "basic": "runs all trials in one process, where DDP loses ranks; leave it out for local",
    "joblib": "one killed trial ends the whole sweep there; leave it out for local (hydra.launcher.n_jobs=4)",
    "submitit_local": "waits for ever on a killed trial; leave it out for local",
    "submitit_slurm": "waits for ever on a killed trial where there is no sacct; use slurm",
    "ray_aws": "starts machines, which is Ray's own: ray up, then ray with hydra.launcher.address",
}


def kinds() -> dict[str, type]:
    """The options of every launcher, by its name."""
    return {**_OURS, **{name: one.config for name, one in of_group("launcher").items()}}


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The overrides of trials, and those of the launcher."""
    own = [word for word in words if word.lstrip("+~").startswith((_GROUP, "hydra.launcher."))]
    return [word for word in words if word not in own], own


def choose(words: Sequence[str], named: str = "") -> Launcher | Slurm:
    """The launcher that overrides ask for, or else the one an experiment names.

    Raises:
        ConfigError: With every problem.
    """
    from tlx.composition import check
    from tlx.composition.overrides import parsed
    from tlx.composition.request import Setting

    known, name = kinds(), named or "local"
    settings, problems = list[Setting](), list[ConfigIssue]()
    for word in words:
        try:
            override = parsed(word)
        except ConfigError as error:
            problems += error.problems
            continue
        if override.key_or_group == _GROUP:
            name = str(override.value())
        else:
            settings.append(Setting(override.key_or_group, override.value()))
    if name not in known:
        reason = _REFUSED.get(name, f"not one of {', '.join(known)}{suggest(name, known)}")
        raise ConfigError([ConfigIssue(_GROUP, reason, name), *problems])
    base = OmegaConf.create({"hydra": {"launcher": OmegaConf.structured(known[name])}})
    OmegaConf.set_struct(base, True)
    problems += check.settings(base, settings)
    problems += _out_of_range(base.hydra.launcher)
    if problems:
        raise ConfigError(problems)
    found = OmegaConf.to_object(base.hydra.launcher)
    assert isinstance(found, (Local, Slurm, Ray))
    return found


def _out_of_range(options: Any) -> list[ConfigIssue]:
    kind = OmegaConf.get_type(options)
    assert kind is not None
    ranged = [(one.name, options[one.name], one.metadata[RANGE]) for one in fields(kind) if RANGE in one.metadata]
    return [
        ConfigIssue(f"hydra.launcher.{name}", f"expected {allowed}", value)
        for name, value, allowed in ranged
        if value is not None and not allowed.holds(value)
    ]
