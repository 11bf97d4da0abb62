"""What a person can say about a strategy: phases as data, and how each is optimised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from tlx.config.fields import option
from tlx.config.strategy_parts import Averaging, Controller, Peft, Regulariser


@dataclass
class Plateau:
    """End a phase early when a validation metric stops improving."""

    monitor: str | None = option(None, "a validation metric (acc, loss, f1_macro, ...); null: the task's own")
    patience: int = option(3, "validations without improvement", above=0)
    min_delta: float = option(0.0, "by how much a validation has to be better to count", least=0)


@dataclass
class Threshold:
    """End a phase as soon as a validation metric is at least this good."""

    value: float = option(MISSING, "of the metric")
    monitor: str | None = option(None, "a validation metric (acc, loss, f1_macro, ...); null: the task's own")


@dataclass
class Schedule:
    """The learning rate over time, as a factor on every group's rate."""

    shape: str = option(
        help="one_cycle: up and down again by cosines (Smith 2018); slanted: ULMFiT's triangle, from 1/32",
        choices=("cosine", "linear", "constant", "one_cycle", "slanted"),
        short=True,
    )
    warmup: str = option("10%", "the rising part, as a share of the schedule")
    div: float = option(25.0, "one_cycle: it begins at the full rate / div", above=0)
    over: str = option(help="one curve per phase, or one over the whole run", choices=("phase", "run"))


@dataclass
class Expand:
    """One phase becomes several: one per level of stages."""

    order: str = option(
        help="random_half: every phase a new random half of the stages",
        choices=("deep_to_shallow", "shallow_to_deep", "random_half"),
    )
    cumulative: bool = option(True, "a phase keeps what those before it trained; false: one level at a time")
    over: list[str] = option(help="selectors of the stages to walk over", factory=lambda: ["backbone"])
    levels: int | None = option(
        None,
        "merge the stages into this many levels first (null: one per stage); random_half: phases (null: one per epoch)",
        above=0,
    )


@dataclass
class Phase:
    """A fixed trainable set with its learning rates and its end. States the whole set, not a change to it."""

    train: list[str] = option(
        MISSING,
        "selectors (head, stem, backbone, all, stages[-2:], stages[50%:], norm, bias, peft, type:..., re:...), a union",
    )
    freeze: list[str] = option(help="selectors taken out of the set again", factory=list)
    until: str = option(
        "rest", "'3 epochs' | '500 steps' | '25%' of the budget | 'rest'; with expand, of all its phases together"
    )
    plateau: Plateau | None = option(None, "end the phase when validation stops improving")
    threshold: Threshold | None = option(None, "end the phase when validation is good enough")
    solver: str = option(
        help="gradient: optimizer steps; logistic: the head alone, solved exactly; ridge: likewise of a regression",
        choices=("gradient", "logistic", "ridge"),
    )
    lr_scale: float = option(1.0, "multiplies every learning rate within this phase", above=0)
    lr_mult: dict[str, float] = option(
        help="selector -> factor on its learning rate within this phase", factory=dict, above=0
    )
    schedule: Schedule | None = option(None, "another curve than the strategy's")
    warmup: str | None = option(
        None, "a second warm-up on entry, on top of the schedule: '100 steps' or a share of the phase, such as '5%'"
    )
    restore: str = option(help="start from the best weights of the phase before", choices=("none", "best"))
    optimizer_state: str = option(
        help="reset: forget all; reset_new: only of what did not train in the phase before",
        choices=("keep", "reset", "reset_new"),
    )
    reinit: list[str] = option(help="selectors given new random weights on entry", factory=list)
    expand: Expand | None = option(None, "make several phases of it, one per level of stages")


@dataclass
class Optimizer:
    """An optimizer of torch.optim or timm.optim, by name. Norms and biases are never decayed."""

    name: str = option("adamw", "of torch.optim or timm.optim", short=True)
    weight_decay: float = option(0.02, "of everything but norms and biases", least=0)
    momentum: float = option(0.9, "of sgd and rmsprop", least=0, below=1)
    args: dict[str, Any] = option(help="further arguments of its class, such as {betas: [0.9, 0.98]}", factory=dict)


@dataclass
class Partition:
    """How fine the backbone is cut."""

    max_stages: int | None = option(
        None,
        "merge neighbouring stages into at most this many, balanced by parameters; null: as many as there are blocks",
        above=0,
    )


@dataclass
class Strategy:
    """How a backbone is transferred: an ordered list of phases, and what they share."""

    name: str = option(MISSING, "what runs are called by", runtime_only=True)
    init: str = option(
        "pretrained",
        "pretrained: the backbone's weights, and a new head | scratch: random weights, whatever the backbone says | "
        "run:<folder>, mlflow:<run id>: that run's whole trained model, for data of the same columns and classes",
    )
    partition: Partition = option(help="how fine the backbone is cut into stages", factory=Partition)
    budget: str = option("10 epochs", "the whole run, over all phases: '10 epochs', '500 steps'")
    batch_size: int = option(32, "examples per optimizer step, over all devices", above=0)
    lr: float = option(0.001, "learning rate of the head, and of the backbone where backbone_lr is null", above=0)
    backbone_lr: float | None = option(None, "null: the same as lr", above=0)
    lr_shallow: float | None = option(
        None,
        "the stem's rate, from which rates rise geometrically to lr at the head (fastai's "
        "slice(low, high)); null: none",
        above=0,
    )
    layer_decay: float = option(
        1.0, "each stage learns this much more slowly than the next deeper one (timm and BEiT's layer decay)", above=0
    )
    min_scale: float = option(0.0, "... but never more slowly than this", least=0)
    lr_mult: dict[str, float] = option(help="selector -> factor on its learning rate", factory=dict, above=0)
    optimizer: Optimizer = option(help="its name and its settings; one word is its name", factory=Optimizer)
    schedule: Schedule = option(help="the learning rate over time; one word is its shape", factory=Schedule)
    clip: float | None = option(None, "gradient norm limit; null is none", above=0)
    validate_every: str = option(
        "1 epochs",
        "how often the validation examples are looked at: '1 epochs', '50 steps', or auto: after each epoch, or less "
        "often where that is more than a tenth of the work, but at least five times in each phase",
    )
    keep: str = option(help="which weights are tested: the best on validation, or the last", choices=("best", "last"))
    frozen_norm: str = option(
        help="norm layers in frozen stages: eval keeps their statistics, train lets them follow the data",
        choices=("eval", "train"),
    )
    on_nan: str = option(
        help="a loss that is not finite: stop and keep its batch, or skip the optimizer steps it would spoil",
        choices=("stop", "skip"),
    )
    audit: str = option(
        help="prove after each phase that frozen tensors stood still and trained ones moved",
        choices=("error", "off"),
        runtime_only=True,
    )
    phases: list[Phase] = option(help="what trains when, in order", factory=list)
    peft: Peft | None = option(None, "small trained parts put into a frozen network")
    regulariser: Regulariser | None = option(None, "a term added to the loss")
    controller: Controller | None = option(None, "decides while training what freezes, or how fast it learns")
    averaging: Averaging | None = option(None, "weights averaged over time, or between start and end")
