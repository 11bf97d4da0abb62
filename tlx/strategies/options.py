"""What a person can say about a strategy: phases as data, and how each is optimised."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from tlx.config.fields import choice, short
from tlx.strategies.extras import Averaging, Controller, Peft, Regulariser


@dataclass
class Plateau:
    """End a phase early when a validation metric stops improving."""

    # a validation metric (acc, loss, f1_macro, ...); null: the task's own
    monitor: str | None = None
    patience: int = 3  # validations without improvement
    min_delta: float = 0.0


@dataclass
class Threshold:
    """End a phase as soon as a validation metric is at least this good."""

    value: float = MISSING
    # a validation metric (acc, loss, f1_macro, ...); null: the task's own
    monitor: str | None = None


@dataclass
class Schedule:
    """The learning rate over time, as a factor on every group's rate."""

    # one_cycle: up and down again by cosines (Smith 2018); slanted: ULMFiT's triangle, from 1/32
    shape: str = choice("cosine", "linear", "constant", "one_cycle", "slanted", short=True)
    # the rising part, as a share of the schedule
    warmup: str = "10%"
    # one_cycle: it begins at the full rate / div
    div: float = 25.0
    # one curve per phase, or one over the whole run
    over: str = choice("phase", "run")


@dataclass
class Expand:
    """One phase becomes several: one per level of stages."""

    # random_half: every phase a new random half of the stages
    order: str = choice("deep_to_shallow", "shallow_to_deep", "random_half")
    # a phase keeps what those before it trained; false: one level at a time
    cumulative: bool = True
    # selectors of the stages to walk over
    over: list[str] = field(default_factory=lambda: ["backbone"])
    # merge the stages into this many levels first (null: one per stage); random_half: phases (null: one per epoch)
    levels: int | None = None


@dataclass
class Phase:
    """A fixed trainable set with its learning rates and its end. States the whole set, not a change to it."""

    # selectors (head, stem, backbone, all, stages[-2:], stages[50%:], norm, bias, peft, type:..., re:...), a union
    train: list[str] = MISSING
    # selectors taken out of the set again
    freeze: list[str] = field(default_factory=list)
    # '3 epochs' | '500 steps' | '25%' of the budget | 'rest'; with expand, of all its phases together
    until: str = "rest"
    plateau: Plateau | None = None
    threshold: Threshold | None = None
    # gradient: optimizer steps; logistic: the head alone, solved exactly by scikit-learn
    solver: str = choice("gradient", "logistic")
    # multiplies every learning rate within this phase
    lr_scale: float = 1.0
    # selector -> factor on its learning rate within this phase
    lr_mult: dict[str, float] = field(default_factory=dict)
    # another curve than the strategy's
    schedule: Schedule | None = None
    # a second warm-up on entry, on top of the schedule: '100 steps' or a share of the phase, such as '5%'
    warmup: str | None = None
    # start from the best weights of the phase before
    restore: str = choice("none", "best")
    # reset: forget all; reset_new: only of what did not train in the phase before
    optimizer_state: str = choice("keep", "reset", "reset_new")
    # selectors given new random weights on entry
    reinit: list[str] = field(default_factory=list)
    expand: Expand | None = None


@dataclass
class Optimizer:
    """An optimizer of torch.optim or timm.optim, by name. Norms and biases are never decayed."""

    name: str = short("adamw")
    weight_decay: float = 0.02
    momentum: float = 0.9
    # further arguments of its class, such as {betas: [0.9, 0.98]}
    args: dict[str, Any] = field(default_factory=dict)


@dataclass
class Partition:
    """How fine the backbone is cut."""

    # merge neighbouring stages into at most this many, balanced by parameters; null: as many as there are blocks
    max_stages: int | None = None


@dataclass
class Strategy:
    """How a backbone is transferred: an ordered list of phases, and what they share."""

    name: str = MISSING
    # scratch: random weights, whatever the backbone says
    init: str = choice("pretrained", "scratch")
    partition: Partition = field(default_factory=Partition)
    # the whole run, over all phases
    budget: str = "10 epochs"
    # examples per optimizer step, over all devices
    batch_size: int = 32
    lr: float = 1e-3
    # null: the same as lr
    backbone_lr: float | None = None
    # the stem's rate, from which rates rise geometrically to lr at the head (fastai's slice(low, high)); null: none
    lr_shallow: float | None = None
    # each stage learns this much more slowly than the next deeper one (timm and BEiT's layer decay)
    layer_decay: float = 1.0
    # ... but never more slowly than this
    min_scale: float = 0.0
    # selector -> factor on its learning rate
    lr_mult: dict[str, float] = field(default_factory=dict)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    # gradient norm limit; null is none
    clip: float | None = None
    validate_every: str = "1 epochs"
    # which weights are tested: the best on validation, or the last
    keep: str = choice("best", "last")
    # norm layers in frozen stages: eval keeps their statistics, train lets them follow the data
    frozen_norm: str = choice("eval", "train")
    # a loss that is not finite: stop and keep its batch, or skip the optimizer steps it would spoil
    on_nan: str = choice("stop", "skip")
    # prove after each phase that frozen tensors stood still and trained ones moved
    audit: str = choice("error", "off", aside=True)
    phases: list[Phase] = field(default_factory=list)
    # small trained parts put into a frozen network
    peft: Peft | None = None
    # a term added to the loss
    regulariser: Regulariser | None = None
    # decides while training what freezes, or how fast it learns
    controller: Controller | None = None
    # weights averaged over time, or between start and end
    averaging: Averaging | None = None
