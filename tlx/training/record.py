"""What a trial leaves in its run folder: the record while it runs, of a failure, and of the trained model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

from tlx.backbones import architecture
from tlx.config import output
from tlx.config.backbone import TransformersBackbone
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.rounding import settled
from tlx.config.schema import Trial
from tlx.data import schema_file
from tlx.files import durable, marks
from tlx.reports.schedule import of_events
from tlx.runs import folder as folders
from tlx.runs import layout, manifest, test_ledger
from tlx.runs import result as results
from tlx.runs.describe import described, observed
from tlx.runs.failure_reason import failure_reason
from tlx.runs.folder import RunFolder
from tlx.runs.result import Result
from tlx.runs.trained_content import FACT, change
from tlx.tracking import event_log
from tlx.tracking.event_log import EventLog
from tlx.tracking.log_integrity import metrics_sha
from tlx.tracking.logger_feed import feed
from tlx.training import frozen, per_class
from tlx.training.build import TrialComponents
from tlx.training.checkpoint import save
from tlx.training.machine import Machine
from tlx.training.resume import can_resume, forget

Say = Callable[[str], None]


def open_record(trial: Trial, built: TrialComponents, place: RunFolder, say: Say) -> EventLog:
    """Begin the record of a trial whose folder is locked, or go on with that of an interrupted one."""
    if built.data.has_test:
        test_ledger.require(place.output)
    set_aside(place, say)
    inner = place.path / layout.ARCHITECTURE
    if isinstance(trial.backbone, TransformersBackbone) and (reason := marks.obstacle(inner, layout.ARCHITECTURE_KIND)):
        raise ConfigError([ConfigIssue("output", f"{reason}; tlx writes this folder: move it away", inner)])
    durable.sweep(place.path, layout.OWN)
    events = EventLog(place.path, feed(trial, place.path, say))
    if not (resumes := _goes_on(built, place, say)):
        event_log.set_aside(place.path)
    folders.write_config(place.path, trial)
    if not resumes:
        begin(trial, built, place, events)
    return events


def set_aside(place: RunFolder, say: Say) -> None:
    """Keep a result beside its place that does not count, and say why: files it names are not there, or its source."""
    if reason := results.incomplete(place.path) or place.outdated():
        say(f"{reason}: its old result is kept as {results.set_aside(place.path)}")


def begin(trial: Trial, built: TrialComponents, place: RunFolder, events: EventLog) -> None:
    """Write the first event of a trial: what it is called, what it is, and what it begins from."""
    content = {FACT: built.weights_content} if built.weights_content else {}
    told = described(trial, place, built.module.primary)
    events.begin(kind="train", identity=place.identity, **content, **told)


def _goes_on(built: TrialComponents, place: RunFolder, say: Say) -> bool:
    """Is there a saved state to go on from? One that began from other weights of the same earlier trial is removed."""
    if not can_resume(place.path):
        return False
    then = str(event_log.first(place.path).get(FACT, ""))
    name = place.source.experiment if place.source is not None else ""
    if not (reason := change(name, then, built.weights_content or None)):
        return True
    say(f"{reason}: the saved state began from other weights, and the trial begins anew")
    forget(place.path)
    return False


@contextmanager
def ending(events: EventLog) -> Iterator[None]:
    """Have the event log say what ended the trial, if an error does."""
    try:
        yield
    except BaseException as error:
        with suppress(OSError):  # the disk may be what is wrong: the first error counts
            events.write("end", **failure_reason(error))
        raise


def finish(place: RunFolder, events: EventLog, result: Result) -> None:
    """Mark a trial as finished; its saved states are no longer needed."""
    place.finish(result)
    forget(place.path)
    events.write("end", status="FINISHED", reason="")


def record_failure(trial: Trial, place: RunFolder, error: Exception, say: Say) -> None:
    """A trial that broke before it could begin has a record too, where the disk takes one."""
    with suppress(OSError):
        output.claim(place.path.parent)
        _record_failure(trial, place, error, say)


def _record_failure(trial: Trial, place: RunFolder, error: Exception, say: Say) -> None:
    with place.lock():
        if place.result() is not None:  # another process has finished it meanwhile
            return
        set_aside(place, say)
        event_log.set_aside(place.path)
        folders.write_config(place.path, trial)
        events = EventLog(place.path, feed(trial, place.path))
        events.begin(kind="train", identity=place.identity, **described(trial, place))
        events.write("end", **failure_reason(error))


def record(
    trial: Trial,
    built: TrialComponents,
    place: RunFolder,
    steps: int,
    validated: dict[str, float | None],
    spent: tuple[float, float],
) -> Result:
    """Write what a trained and tested trial leaves beside its predictions, all but ``result.json``.

    The test, where there is one, is in ``module.state.metrics``. When this returns, everything that the result names is
    on the disk.
    """
    module = built.module
    metrics = {f"val/{name}": value for name, value in validated.items()}
    if built.data.has_test:
        metrics |= {f"test/{name}": value for name, value in module.state.metrics.items()}
    module.events.write("metrics", step=steps, epoch=steps / module.epochs.steps_per_epoch, values=metrics)
    state, first = module.snapshot(), module.events.path is not None  # on every process: shards are put together
    frozen.write(place.path, module.model, state, trial, place.fingerprints["weights"], first=first)
    if first:
        save(place.path / layout.CHECKPOINT, state, built.origin)
        architecture.keep(place.path, trial.backbone, built.backbone)
        schema_file.write(place.path, built.data.schema)
        if built.data.has_test:
            per_class.write(place.path, module.task, built.data.examples["test"].targets)
        _draw_schedule(place.path, built)
    trained = sum(module.model.get_parameter(name).numel() for name in module.state.trained)
    result = Result(
        identity=place.identity,
        name=place.name,
        folder=place.path.name,
        metrics=metrics,
        steps=steps,
        parameters=sum(p.numel() for p in module.model.parameters()),
        trained=trained,
        cpu_seconds=round(spent[0], 3),
        wall_seconds=round(spent[1], 3),
        primary=module.primary,
        numerics=place.numerics,
        facts=facts(place, built.weights_content, built.machine),
        rounding=settled(trial, built.machine.accelerator, built.machine.devices, built.machine.threads),
    )
    if first:
        known = {"columns": built.data.schema.settings(), "splits": built.data.hashes()}
        found = observed(trial, result.facts, result.rounding, **known)
        outcome = {"identity": place.identity, "metrics": metrics, "steps": steps, **results.hashes(place.path)}
        outcome |= {"metrics_sha": metrics_sha(place.path), "files": results.content_hashes(place.path)}
        manifest.write(place.path, asdict(trial), found, outcome)
        if built.data.has_test:
            split = test_ledger.split_of(place.fingerprints["data"], built.data.hashes()["test"])
            test_ledger.add(place.output, split, "reproduce" if place.reproduces else "train", place.path.name)
        module.events.sync()
        result = replace(result, files=results.promised_files(place.path))
    return result


def facts(place: RunFolder, weights_content: str, machine: Machine) -> dict[str, str]:
    """Fingerprints of what a trial was made from, and the hardware it ran on."""
    began = {FACT: weights_content} if weights_content else {}
    return {**place.fingerprints, **began, "hardware": str(machine)}


def _draw_schedule(folder: Path, built: TrialComponents) -> None:
    names, steps = [stage.name for stage in built.stages], built.module.epochs.steps_per_epoch
    durable.write(folder / layout.SCHEDULE, of_events(event_log.read(folder), names, steps))
