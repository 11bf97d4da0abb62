"""Which weights a trial is tested with: the best, the last, or an average of several."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pytorch_lightning import Trainer

from tlx._compat.norms import BatchNorm
from tlx.backbones.weights import State
from tlx.strategies import averaging, freezing
from tlx.training.build import TrialComponents
from tlx.training.checkpoint import restore, tensors
from tlx.training.learner import Learner


def select_final_weights(built: TrialComponents, trainer: Trainer, say: Callable[[str], None]) -> None:
    """Put the weights to be tested into the model, and their validation into ``learner.values``."""
    learner = built.learner
    options = learner.strategy.averaging
    kind = options.kind if options is not None else ""
    averaged = learner.mean is not None and bool(learner.mean.mean)
    if kind == "swa" and not averaged:
        say("swa: the run ended before averaging began; tested are the weights it would have without")
        learner.events.write("averaging", kind=kind, ingredients=0)
    if (kind != "swa" or not averaged) and keep_best(learner):
        pass
    elif learner.mean is not None and averaged:
        learner.mean.swap(learner.model)
        if kind == "swa":
            _refresh_norms(built, trainer)
            _measure(built, trainer)
    if options is None or kind in ("ema", "swa"):
        return
    learner.keeps = False  # what is tried from here on is no new best
    sign = learner.task.metric_info[learner.task.primary_metric].sign

    def measure(state: State) -> float:
        restore(learner.model, state)
        return sign * _measure(built, trainer)

    if kind == "wise_ft":
        assert learner.wise_ft_start is not None
        chosen, share = averaging.wise_ft(
            learner.wise_ft_start, tensors(learner.model, learner.trained), options.alphas, measure
        )
        say(f"wise_ft: {share:g} of the fine-tuned weights")
        learner.events.write("averaging", kind=kind, alpha=share)
    else:
        states = [one.state or {} for one in learner.best_tracker.top_k.kept]
        chosen = averaging.mean(states) if kind == "uniform_soup" else averaging.greedy_soup(states, measure)
        learner.events.write("averaging", kind=kind, ingredients=len(states))
    measure(chosen)


def keep_best(learner: Learner) -> bool:
    """Put the best weights back if those are to be kept."""
    best = learner.best_tracker.best
    if learner.strategy.keep != "best" or best.state is None:
        return False
    restore(learner.model, best.state)
    learner.values = best.values
    return True


def _measure(built: TrialComponents, trainer: Trainer) -> float:
    """Validate the model as it is; the primary metric."""
    trainer.validate(built.learner, verbose=False)
    value = built.learner.values[built.learner.task.primary_metric]
    assert value is not None
    return value


@torch.no_grad()
def _refresh_norms(built: TrialComponents, trainer: Trainer) -> None:
    """BatchNorm statistics of averaged weights, from one pass over the training examples (Izmailov et al. 2018)."""
    model = built.learner.model.to(trainer.strategy.root_device)
    freezing.set_modes(model, built.learner.strategy.frozen_norm)
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
    for batch in built.data.eval_loader("train", built.learner.task.collate):
        model({name: value.to(trainer.strategy.root_device) for name, value in batch.items()})
    for norm, momentum in before.items():
        norm.momentum = momentum
