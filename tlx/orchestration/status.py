"""How a sweep's trials stand, told from the files they leave: nothing is composed, imported or asked of a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tlx.composition.name_rules import path_fault
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.orchestration.backends import slurm
from tlx.orchestration.pruning import PRUNED
from tlx.orchestration.sweep_record import FAILED
from tlx.orchestration.worker import LOG
from tlx.runs import layout, lock
from tlx.runs import result as results
from tlx.tracking import event_log

ORDER = ("done", "pruned", "running", "queued", "failed", "interrupted", "waiting")


@dataclass(frozen=True)
class TrialStatus:
    """One trial: its folder, its state (of :data:`ORDER`), and what there is to say of it."""

    folder: Path
    state: str
    detail: str = ""
    seconds: float = 0.0  # wall seconds of a finished one
    label: str = ""  # its name, with what the sweep varies


@dataclass(frozen=True)
class Summary:
    """A sweep's trials."""

    folder: Path
    trials: tuple[TrialStatus, ...]
    note: str = ""  # what could not be found out
    more: int = 0  # trials that are still to follow from the results of these

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each state."""
        found = {state: sum(trial.state == state for trial in self.trials) for state in ORDER}
        return {state: count for state, count in found.items() if count}

    @property
    def left(self) -> float | None:
        """Seconds until all is done, if trials go on as they did; None where there is nothing to judge by."""
        done = [trial.seconds for trial in self.trials if trial.state == "done"]
        open_ = sum(trial.state in ("running", "queued", "waiting", "interrupted") for trial in self.trials)
        running = max(1, self.counts.get("running", 0))
        return sum(done) / len(done) * open_ / running if done and open_ else None


def sweeps(root: Path) -> list[Path]:
    """The folders of all sweeps below an output folder, the last begun last."""
    found = [path.parent for path in root.glob(f"*/{event_log.FILE}") if is_sweep(path.parent)]
    return sorted(found, key=lambda folder: (folder / event_log.FILE).stat().st_mtime)


def named(root: Path, words: Sequence[str]) -> list[Path]:
    """Find sweeps below an output folder, the last begun last.

    Args:
        root: The output folder.
        words: What they are called: the name of the experiment or the sweep, its folder's name, or a path. None: all.

    Raises:
        ConfigError: There is no sweep, or none of these names.
    """
    found = sweeps(root)
    below = {folder.resolve() for folder in found}
    found += [one for one in _elsewhere(words) if one not in below]
    if not found:
        raise ConfigError([ConfigIssue("output", "holds no sweep; name another with output=FOLDER", root)])
    chosen = [folder for folder in found if not words or any(_is(folder, word) for word in words)]
    if not chosen:
        known = [name for folder in found for name in (folder.name, folder.name.rpartition("-")[0])]
        raise ConfigError([ConfigIssue("sweep", f"none of that name{suggest(words[0], known)}", words[0])])
    return chosen


def _elsewhere(words: Sequence[str]) -> list[Path]:
    """The sweeps whose folders are named by their paths."""
    folders = [Path(word).resolve() for word in words if not path_fault(word)]
    return [folder for folder in dict.fromkeys(folders) if is_sweep(folder)]


def sweeps_named(root: Path, word: str) -> list[Path]:
    """The sweeps of a name below an output folder, the last begun last; none where there are none."""
    return [folder for folder in sweeps(root) if _is(folder, word)]


def _is(folder: Path, word: str) -> bool:
    word = word.removeprefix("experiment=")
    return word.replace("/", "-") in (folder.name, folder.name.rpartition("-")[0]) or (
        not path_fault(word) and Path(word).resolve() == folder.resolve()
    )


def is_sweep(folder: Path) -> bool:
    """Is it a sweep's own folder?"""
    return str(event_log.first(folder).get("tags", {}).get("tlx.kind", "")) == "sweep"


def summary(folder: Path, unknown: str = "") -> Summary:
    """How the trials of a sweep stand; on Slurm, its queue is asked as well, unless why it is ``unknown`` is told."""
    names = event_log.members(folder)
    try:
        is_unknown = unknown and (folder / slurm.FOLDER).is_dir()
        queue, note = ({}, unknown) if is_unknown else (slurm.queue(folder), "")
    except ConfigError as error:  # no Slurm here, or none that answers: the files still tell
        queue, note = {}, error.problems[0].message
    outputs = slurm.outputs(folder)
    trials = [
        replace(standing(folder.parent / name, queue.get(name), outputs.get(name)), label=label)
        for name, label in names.items()
    ]
    return Summary(folder, tuple(trials), note, _more(folder))


def _more(folder: Path) -> int:
    """How many trials a sweep that is not over still expects."""
    ended, more = event_log.last(folder), event_log.last(folder, "trials").get("more")
    is_over = ended.get("event") == "end" and (ended["status"] == "FINISHED" or ended["reason"].endswith(FAILED))
    return more if isinstance(more, int) and not is_over else 0


def standing(folder: Path, queued: str | None = None, output: Path | None = None) -> TrialStatus:
    """How one trial stands: ``queued`` is what Slurm says of it, ``output`` where its last task there printed."""
    if (result := results.result_in(folder)) is not None:
        return TrialStatus(folder, "done", seconds=result.wall_seconds)
    last = event_log.last(folder)
    if lock.is_locked(folder):
        return TrialStatus(folder, "running", f"{_progress(folder)}, {lock.owner(folder)}")
    if queued:
        return TrialStatus(folder, "queued", f"Slurm job {queued}")
    if gone := results.incomplete(folder):
        return TrialStatus(folder, "interrupted", f"{gone}; begins anew")
    if last.get("event") == "end" and last["status"] == "FAILED":
        return TrialStatus(folder, "failed", f"{_line(last['reason'])}  (log: {folder / LOG})")
    if last.get("event") == "end" and last["reason"].startswith(f"{PRUNED}:"):
        return TrialStatus(folder, "pruned", _line(last["reason"]))
    if any((folder / name).is_file() for name in layout.STATES):
        return TrialStatus(folder, "interrupted", f"{_progress(folder)}; goes on from its saved state")
    if last:
        return TrialStatus(folder, "interrupted", f"{_progress(folder)}; begins anew")
    if output is not None and output.is_file():
        return TrialStatus(folder, "failed", f"its task on Slurm ended before it began  (log: {output})")
    return TrialStatus(folder, "waiting")


def _progress(folder: Path) -> str:
    return f"step {event_log.last(folder, 'metrics').get('step', 0)}"


def _line(reason: str) -> str:
    """The first line of a reason."""
    return (reason.splitlines() or [""])[0]
