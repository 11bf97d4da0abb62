"""Which weights a trial is tested with: the best, the last, or an average of several."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pytorch_lightning import Trainer

from tlx._compat.norms import BatchNorm
from tlx.backbones.weights import State
from tlx.strategies import averaging, freezing
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
    mean = module.callbacks.find(RunningMean)
    averaged = mean is not None and bool(mean.running.mean)
    if kind == "swa" and not averaged:
        say("swa: the run ended before averaging began; tested are the weights it would have without")
        module.events.write("averaging", kind=kind, ingredients=0)
    if (kind != "swa" or not averaged) and keep_best(module):
        pass
    elif mean is not None and averaged:
        restore(module.model, mean.running.mean)
        if kind == "swa":
            _refresh_norms(built, trainer)
            _measure(built, trainer)
    if options is None or kind in ("ema", "swa"):
        return
    module.trying = True  # what is tried from here on is no new best
    sign = module.primary.sign

    def measure(state: State) -> float:
        restore(module.model, state)
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


@torch.no_grad()
def _refresh_norms(built: TrialComponents, trainer: Trainer) -> None:
    """BatchNorm statistics of averaged weights, from one pass over the training examples (Izmailov et al. 2018)."""
    model = built.module.model.to(trainer.strategy.root_device)
    freezing.set_modes(model, built.module.strategy.frozen_norm)
    norms = [m for m in model.modules() if isinstance(m, BatchNorm) and m.training]
    norms = [norm for norm in norms if norm.track_running_stats]
    if not norms:
        return
    before = {norm: norm.momentum for norm in norms}
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over batches
        norm.train()
    for batch in built.data.eval_loader("train"):
        model(batch.to(trainer.strategy.root_device).inputs)
    for norm, momentum in before.items():
        norm.momentum = momentum
