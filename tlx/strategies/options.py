"""What a person can say about a strategy: phases as data, and how each is optimised."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from tlx.config.fields import choice


@dataclass
class Plateau:
    """End a phase early when the monitored metric stops improving."""

    patience: int = 3  # validations without improvement
    min_delta: float = 0.0


@dataclass
class Phase:
    """A fixed trainable set with its learning rates and its end. States the whole set, not a change to it."""

    # selectors (head, stem, backbone, all, stages[-2:], stages[50%:], norm, bias, re:...); a list is a union
    train: list[str] = MISSING
    # selectors taken out of the set again
    freeze: list[str] = field(default_factory=list)
    # '3 epochs' | '500 steps' | '25%' of the budget | 'rest'
    until: str = "rest"
    plateau: Plateau | None = None
    # gradient: optimizer steps; logistic: the head alone, solved exactly by scikit-learn
    solver: str = choice("gradient", "logistic")
    # multiplies both learning rates within this phase
    lr_scale: float = 1.0
    # start from the best weights of the phase before
    restore: str = choice("none", "best")
    optimizer_state: str = choice("keep", "reset")
    # deep_to_shallow: one phase per stage, each adding the next shallower one; `until` is for all of them
    expand: str = choice("none", "deep_to_shallow")
    # merge the stages into this many before expanding (null: one level per stage)
    levels: int | None = None


@dataclass
class Optimizer:
    """An optimizer of torch.optim. Norms and biases are never decayed."""

    name: str = choice("adamw", "adam", "sgd", "rmsprop")
    weight_decay: float = 0.02
    momentum: float = 0.9


@dataclass
class Schedule:
    """The learning rate over time, as a factor on every group's rate."""

    shape: str = choice("cosine", "linear", "constant")
    # linear warm-up, as a share of the schedule
    warmup: str = "10%"
    # one curve per phase, or one over the whole run
    over: str = choice("phase", "run")


@dataclass
class Strategy:
    """How a backbone is transferred: an ordered list of phases, and what they share."""

    name: str = MISSING
    # scratch: random weights, whatever the backbone says
    init: str = choice("pretrained", "scratch")
    # the whole run, over all phases
    budget: str = "10 epochs"
    # examples per optimizer step, over all devices
    batch_size: int = 32
    lr: float = 1e-3
    # null: the same as lr
    backbone_lr: float | None = None
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    # gradient norm limit; null is none
    clip: float | None = None
    validate_every: str = "1 epochs"
    # which weights are tested: the best on validation, or the last
    keep: str = choice("best", "last")
    # norm layers in frozen stages: eval keeps their statistics, train lets them follow the data
    frozen_norm: str = choice("eval", "train")
    # prove after each phase that frozen tensors stood still and trained ones moved
    audit: str = choice("error", "off")
    phases: list[Phase] = field(default_factory=list)
