"""Which weights a trial is tested with: the best, the last, or an average of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytorch_lightning import Trainer

from tlx._compat.norms import BatchNorm
from tlx.backbones.weights import State
from tlx.columns.batch import Batch
from tlx.strategies import averaging, norm_statistics
from tlx.training.build import TrialComponents
from tlx.training.callbacks.averaging import RunningMean, WiseFTStart
from tlx.training.callbacks.best_weights import BestWeights
from tlx.training.checkpoint import restore, tensors
from tlx.training.module import TrialModule


def select_final_weights(built: TrialComponents, trainer: Trainer, say: Callable[[str], None]) -> None:
    """Put the weights to be tested into the model, and their validation into ``module.state.metrics``."""
    module = built.module
    options = module.strategy.averaging
    kind = options.kind if options is not None else ""
    refreshes = options is not None and options.refreshes_norms
    mean = module.callbacks.find(RunningMean)
    averaged = frozenset(mean.running.mean) if mean is not None else frozenset[str]()
    if kind == "swa" and not averaged:
        say("swa: the run ended before averaging began; tested are the weights it would have without")
        module.events.write("averaging", kind=kind, ingredients=0)
    if (kind != "swa" or not averaged) and keep_best(module):
        pass
    elif mean is not None and averaged:
        restore(module.model, mean.running.mean)
    if averaged and (kind == "swa" or refreshes):
        if refreshes:
            _refresh_norms(built, trainer, _norms(built, averaged, say))
        _measure(built, trainer)
    if options is None or kind in ("ema", "swa"):
        return
    module.trying = True  # what is tried from here on is no new best
    sign = module.primary.sign
    norms = _norms(built, module.state.trained, say) if refreshes else []

    def measure(state: State) -> float:
        restore(module.model, state)
        _refresh_norms(built, trainer, norms)
        return sign * _measure(built, trainer)

    if kind == "wise_ft":
        line = module.callbacks.find(WiseFTStart)
        end = tensors(module.model, module.state.trained)
        start = line.weights if line is not None and line.weights is not None else end  # the last phase had no step
        chosen, share = averaging.wise_ft(start, end, options.alphas, measure)
        say(f"wise_ft: {share:g} of the fine-tuned weights")
        module.events.write("averaging", kind=kind, alpha=share)
    else:
        best = module.callbacks.find(BestWeights)
        assert best is not None
        states = [one.state or {} for one in best.top_k.kept]
        chosen = averaging.mean(states) if kind == "uniform_soup" else averaging.greedy_soup(states, measure)
        module.events.write("averaging", kind=kind, ingredients=len(states))
    measure(chosen)


def keep_best(module: TrialModule) -> bool:
    """Put the best weights back if those are to be kept."""
    found = module.callbacks.find(BestWeights)
    if module.strategy.keep != "best" or found is None or found.best.state is None:
        return False
    restore(module.model, found.best.state)
    module.state.metrics = found.best.values
    return True


def _measure(built: TrialComponents, trainer: Trainer) -> float:
    """Validate the model as it is; the primary metric."""
    trainer.validate(built.module, verbose=False)
    value = built.module.state.metrics[built.module.task.primary_metric]
    assert value is not None
    return value


def _norms(built: TrialComponents, averaged: frozenset[str], say: Callable[[str], None]) -> list[BatchNorm]:
    """The norms that need new statistics under averaged weights."""
    module = built.module
    norms = norm_statistics.norms_of(module.model, averaged, module.strategy.frozen_norm)
    asked = module.strategy.averaging
    if not norms and asked is not None and asked.norms == "refresh":
        say("strategy.averaging.norms=refresh: no BatchNorm trained here, so there are no statistics to estimate")
    return norms


def _refresh_norms(built: TrialComponents, trainer: Trainer, norms: Sequence[BatchNorm]) -> None:
    """Estimate statistics from the batches of the first epoch, as they are trained on: shuffled, and augmented.

    Every process sees all of them, cut into the parts that all processes together train on, so that a trial on several
    devices gets what one device gets with as many parts.
    """
    if not norms:
        return
    module, plugin, device = built.module, trainer.precision_plugin, trainer.strategy.root_device
    model, epochs, parts = module.model.to(device), module.epochs, built.machine.world * module.accumulate
    plain = module.prefix.is_plain
    batches = built.data.train_loader(epochs, 0, epochs.steps_per_epoch, accumulate=parts, plain=plain)

    def forward(batch: Batch) -> None:
        with plugin.val_step_context():
            model(plugin.convert_input(batch.to(device)).inputs)

    norm_statistics.refresh(model, norms, batches, forward)
