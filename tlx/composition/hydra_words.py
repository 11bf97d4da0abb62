"""Hydra's own settings: those that tlx takes, and what it has in place of the others."""

from __future__ import annotations

from hydra.core.override_parser.types import Override

LAUNCHER = "hydra/launcher"
LAUNCHERS = ("local", "slurm", "ray")
_INSTEAD = {
    "hydra/sweeper": "a search is an experiment with a part search: (n_trials, sampler, space); leave this out",
    "hydra.sweeper": "a search is an experiment with a part search: (n_trials, sampler, space); leave this out",
    "hydra.run": "every trial has a folder of its own, named by what it is; say where they lie: output=FOLDER",
    "hydra.sweep": "every trial has a folder of its own, named by what it is; say where they lie: output=FOLDER",
    "hydra.job.chdir": "trials stay in the folder where the command was given; leave this out",
    "hydra/job_logging": "each trial's log is a file of its run folder; leave this out",
    "hydra.job_logging": "each trial's log is a file of its run folder; leave this out",
    "hydra/hydra_logging": "each trial's log is a file of its run folder; leave this out",
    "hydra.hydra_logging": "each trial's log is a file of its run folder; leave this out",
    "hydra.searchpath": "give folders of configuration files by --config-dir FOLDER",
    "hydra.launcher": "belongs to a sweep; run: tlx sweep ...",
    LAUNCHER: "belongs to a sweep; run: tlx sweep ...",
}
_OTHERS = "is not a setting that tlx reads: Hydra composes the configuration, and tlx does the rest; leave it out"


def fault(override: Override) -> str:
    """Say what to write in place of a setting of Hydra's; empty for any other setting."""
    key = override.key_or_group
    return instead(key) if override.is_hydra_override() or key == "hydra" else ""


def instead(key: str) -> str:
    """Say what to write in place of a setting of Hydra's, by its key."""
    steps = key.replace("/", ".").split(".")
    for count in range(len(steps), 0, -1):
        for name in (".".join(steps[:count]), "/".join(steps[:count])):
            if name in _INSTEAD:
                return _INSTEAD[name]
    return _OTHERS


def in_file(key: str) -> str:
    """Say what to do instead of a setting of Hydra's in an experiment."""
    if key.startswith("hydra.launcher."):
        return f"depends on the cluster, so it belongs to the command line: tlx sweep ... {key}=..."
    return instead(key)


def default(group: str) -> str:
    """Say why a choice of Hydra's own groups cannot stand in an experiment's defaults; empty where it can."""
    if not group.startswith("hydra/") or group == LAUNCHER:
        return ""
    return instead(group)
