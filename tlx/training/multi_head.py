"""Trials that differ in their heads alone, trained side by side on features that are kept.

Each is an ordinary trial: its own order of examples, rate, decay, schedule, early ending, event log, checkpoint and
result, as if it had been run alone, up to rounding. What they share is done once: the data, the backbone and its audit,
and one batched product per step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import groupby
from operator import itemgetter

import torch
from torch import Tensor

from tlx._compat.devices import onto
from tlx.backbones.partition.stages import digest, table
from tlx.backbones.weights import State
from tlx.columns.batch import Batch
from tlx.config import output
from tlx.config.schema import Trial
from tlx.data.order import Indices
from tlx.feature_cache.batched_linear import BatchedLinear, UpdateRule
from tlx.feature_cache.entry import CorruptEntryError
from tlx.feature_cache.prefix_cache import PhaseUsage, PrefixCache
from tlx.files import durable
from tlx.runs import folder as folders
from tlx.runs import layout, test_ledger
from tlx.runs.failure_reason import failure_reason
from tlx.runs.recover import finish_together, recover
from tlx.strategies import freezing
from tlx.strategies.phases import budget_steps
from tlx.tasks.finite import NOT_FINITE
from tlx.tasks.protocol import BatchableTask, ManyHeads, StepOutput
from tlx.tracking import event_log
from tlx.tracking.event_log import EventLog
from tlx.tracking.logger_feed import feed
from tlx.training.callbacks.dispatch import Callbacks
from tlx.training.checkpoint import origin
from tlx.training.deterministic import deterministic
from tlx.training.final_weights import keep_best
from tlx.training.head_trials import HeadTrial, NotBatchable, build_heads
from tlx.training.locate import locate
from tlx.training.machine import choose_machine
from tlx.training.phase_loop import start_phase
from tlx.training.predictions import predictions
from tlx.training.progress import Progress
from tlx.training.quiet import quiet
from tlx.training.record import begin, record, set_aside
from tlx.training.resume import can_resume
from tlx.training.trial_callbacks import of_validation

Say = Callable[[str], None]
_CHUNK = 1024  # examples whose predictions are in memory


def train_together(trials: Sequence[Trial], says: Sequence[Say]) -> None:
    """Run trials that :func:`tlx.orchestration.batchable.key` says can be, to their ends; each leaves its record.

    Raises :class:`NotBatchable` before anything is written, :class:`~tlx.config.errors.RequestError` as a single trial
    would, and :class:`~tlx.feature_cache.entry.CorruptEntryError` for kept features that have changed on disk: they are
    gone then. What else goes wrong is in the event logs of all, as is what goes wrong with one head in its own.
    """
    began = time.process_time(), time.perf_counter()
    with ExitStack() as stack, quiet():
        pairs = [(trial, say, locate(trial)) for trial, say in zip(trials, says, strict=True)]
        for _, _, place in pairs:
            recover(place.path)
            output.claim(place.path.parent)
            stack.enter_context(place.lock())
        hardware = trials[0].hardware
        stack.enter_context(deterministic(choose_machine(hardware), hardware.deterministic))
        pairs = [one for one in pairs if one[2].result() is None]
        if any(can_resume(place.path) for _, _, place in pairs):
            raise NotBatchable("one of them goes on from a saved state")
        seats = build_heads(pairs, stack)
        if not seats:
            return
        _begin(seats)
        try:
            _train(seats)
            _conclude(seats, began)
        except BaseException as error:
            if isinstance(error, CorruptEntryError):
                seats[0].built.module.prefix.discard()
            for seat in (seat for seat in seats if seat.place.result() is None and not seat.failure):
                _end(seat, **failure_reason(error))
            raise


def _begin(seats: Sequence[HeadTrial]) -> None:
    """Event logs, first events and origins."""
    first = seats[0].built
    shared = {f"backbone.{k}": v for k, v in freezing.checksums(first.module.model.get_submodule("backbone")).items()}
    buffers = {name: buffer.detach().cpu().clone() for name, buffer in first.module.model.named_buffers()}
    stages_digest, rows = digest(first.stages), table(first.stages)
    for seat in seats:
        built, place = seat.built, seat.place
        if (device := seats[0].head.weight.device) != seat.head.weight.device:
            seat.head.to(device)
        sums = {**shared, **{f"head.{name}": value for name, value in freezing.checksums(seat.head).items()}}
        built.origin = origin(stages_digest, sums)
        seat.before = sums
        if built.data.has_test:
            test_ledger.require(place.output)
        set_aside(place, seat.say)
        durable.sweep(place.path, layout.OWN)
        event_log.set_aside(place.path)
        folders.write_config(place.path, seat.trial)
        events = built.module.events = EventLog(place.path, feed(seat.trial, place.path, seat.say))
        built.module.callbacks = Callbacks(of_validation(built.module, events, seat.say, Progress()))
        begin(seat.trial, built, place, events)
        events.write("together", trials=len(seats))
        events.write("stages", digest=stages_digest, table=rows)
        for name, stock in built.module.prefix.kept().items():
            events.write("reuse", split=name, sites="backbone", state=stock.state, bytes=stock.bytes)
        seat.say(f"hardware: {built.machine}; one of {len(seats)} heads trained together")
        if (planned := built.module.validations).is_auto:
            for line in planned.lines:
                seat.say(f"validation: {line}")
        built.module.snapshot = partial(_snapshot, seat, buffers)
        total = budget_steps(built.module.strategy, built.module.epochs.steps_per_epoch)
        start_phase(built, 0, 0, built.phases[0].length(0, total), total, seat.say, Progress())


def _train(seats: Sequence[HeadTrial]) -> None:
    """Every step of all heads at once; rounds end together, and the phase for each in its own time."""
    module = seats[0].built.module
    strategy, prefix = module.strategy, module.prefix
    device, task = seats[0].head.weight.device, seats[0].task
    train, heldout = prefix.kept()["train"].features[0], _Split(prefix, "val", task, device)
    labels = task.target(module.data.examples["train"].targets).to(device)
    active = sorted(seats, key=_seed)  # heads of one seed read the same batches: one product serves them all
    orders = {_seed(seat): _order(seat) for seat in seats}
    decays = [seat.trial.strategy.optimizer.weight_decay for seat in active]
    rule = UpdateRule.of(strategy.optimizer.name, strategy.optimizer.momentum, strategy.optimizer.args)
    heads = BatchedLinear([seat.head for seat in active], rule, decays)
    many = _many(active)
    seen: list[tuple[Tensor, int]] = []
    step = 0
    while active and step < module.state.stop:
        chosen = {seed: next(order) for seed, order in orders.items()}
        answers = {seed: labels[onto(torch.from_numpy(rows % len(labels)), device)] for seed, rows in chosen.items()}
        wanted = torch.stack([answers[_seed(seat)] for seat in active])
        groups = [(train.take(chosen[seed])[0].float(), len(list(same))) for seed, same in groupby(active, _seed)]
        losses = partial(many.losses, targets=wanted)
        rates = [seat.built.rates["head.weight"][0] * seat.built.module.scale(step) for seat in active]
        seen.append((heads.step(groups, losses, rates), wanted.shape[1]))
        step += 1
        if step % module.interval == 0 or step == module.state.stop:
            left = _end_round(active, heads, many, heldout, seen, rates, step)
            seen = []
            if len(left) < len(active):
                heads.keep(left)
                active = [active[i] for i in left]
                many = _many(active) if active else many
    _audit(seats)


def _end_round(
    active: Sequence[HeadTrial],
    heads: BatchedLinear,
    many: ManyHeads,
    heldout: _Split,
    seen: Sequence[tuple[Tensor, int]],
    rates: Sequence[float],
    step: int,
) -> list[int]:
    """Validate and record every head; the numbers of those that go on."""
    count = sum(n for _, n in seen)
    losses = (torch.stack([loss * n for loss, n in seen]).sum(0) / count).tolist()
    outputs = heads.outputs([(heldout.features, len(active))])
    finite = torch.isfinite(outputs).all(-1).all(-1).tolist()
    left = []
    for number, (seat, values) in enumerate(zip(active, many.metrics(outputs, heldout.targets), strict=True)):
        seat.built.module.state.step = step
        if not finite[number]:
            _end(seat, "FAILED", f"FloatingPointError: {NOT_FINITE}")
            continue
        over = seat.built.module.validated(values)
        over = seat.built.module.end_round(losses[number], {"head": rates[number]}) or over
        if not over:
            left.append(number)
    return left


def _conclude(seats: Sequence[HeadTrial], began: tuple[float, float]) -> None:
    """Keep the best, test, and record, each."""
    seats = [seat for seat in seats if not seat.failure]
    if not seats:
        return
    first = seats[0].built.module
    validated = []
    for seat in seats:
        keep_best(seat.built.module)
        validated.append(dict(seat.built.module.state.metrics))
    if first.data.has_test:
        _test(seats)
    spent = (time.process_time() - began[0]) / len(seats), time.perf_counter() - began[1]
    finished = []
    for seat, found in zip(seats, validated, strict=True):
        step = seat.built.module.state.step
        finished.append((seat.place, record(seat.trial, seat.built, seat.place, step, found, spent)))
    finish_together(finished)
    for seat in seats:
        _end(seat, "FINISHED", "")
    first.prefix.close()


def _test(seats: Sequence[HeadTrial]) -> None:
    """Test every head, and write its predictions."""
    first = seats[0].built.module
    first.prefix.enter(PhaseUsage(first.state.trained, {"test": 1}))
    test = _Split(first.prefix, "test", seats[0].task, seats[0].head.weight.device)
    with torch.no_grad():
        outputs = torch.stack([seat.head(test.features) for seat in seats])
    measured = _many(seats).metrics(outputs, test.targets)
    examples = first.data.examples["test"]
    batch = Batch(torch.from_numpy(examples.indices), {}, examples.targets)
    for seat, values, scores in zip(seats, measured, outputs, strict=True):
        seat.built.module.state.metrics = values
        _predict(seat, batch, scores)


def _predict(seat: HeadTrial, batch: Batch, scores: Tensor) -> None:
    """Write the predictions of a head, a thousand examples at a time."""
    module, path = seat.built.module, seat.place.path / layout.PREDICTIONS
    with predictions(path, seat.built.data.source.described) as written:
        for at in range(0, len(scores), _CHUNK):
            chosen = slice(at, at + _CHUNK)
            out = StepOutput(None, len(scores[chosen]), {"outputs": scores[chosen]})
            written.add(module.task.predict(module.model, batch.map(itemgetter(chosen)), out))


class _Split:
    """Features [examples, width] and targets of a split, in its order."""

    def __init__(self, prefix: PrefixCache, name: str, task: BatchableTask, device: torch.device) -> None:
        self.targets = task.target(prefix.data.examples[name].targets).to(device)
        self.features = prefix.features(name).float()


def _seed(seat: HeadTrial) -> int:
    return seat.trial.seed_of_order


def _order(seat: HeadTrial) -> Iterator[Indices]:
    """Row numbers of the trial's batches, one after the other."""
    module = seat.built.module
    views, count = module.prefix.views("train"), len(module.data.splits["train"])
    for passes, positions in module.epochs.positions(0, module.state.stop):
        yield positions + (passes % views * count if views else 0)


def _many(active: Sequence[HeadTrial]) -> ManyHeads:
    """Losses and metrics of these heads."""
    found = active[0].task.together([seat.built.module.task for seat in active])
    assert found is not None
    return found


def _snapshot(seat: HeadTrial, buffers: State) -> State:
    """What the seat's module remembers a validation by; the buffers are everybody's, and never change."""
    own = {f"head.{name}": tensor.detach().cpu().clone() for name, tensor in seat.head.named_parameters()}
    return {**own, **buffers}


def _audit(seats: Sequence[HeadTrial]) -> None:
    """Prove once that the backbone stood still, and of each head that it moved."""
    backbone = seats[0].built.module.model.get_submodule("backbone")
    before = seats[0].before
    own = {name.removeprefix("backbone."): value for name, value in before.items() if name.startswith("backbone.")}
    freezing.audit(backbone, own)
    for seat in seats:
        if seat.trial.strategy.audit == "error" and not seat.failure:
            heads = seat.before
            freezing.audit(seat.head, {name: heads[f"head.{name}"] for name in ("weight", "bias")})


def _end(seat: HeadTrial, status: str, reason: str, **more: str) -> None:
    seat.failure = reason
    seat.built.module.events.write("end", status=status, reason=reason, **more)
