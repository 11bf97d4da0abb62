"""What a strategy can have beside its phases: PEFT, a regulariser, a controller, averaging of weights."""

from __future__ import annotations

from dataclasses import dataclass, field

from tlx.config.fields import choice


@dataclass
class Peft:
    """Small trained parts put into a frozen network (lora, dora and ia3 need ``pip install 'tlx[peft]'``)."""

    # bottleneck: adapters after each block (Houlsby 2019); prefix and prompt: learned tokens, texts only
    kind: str = choice("lora", "dora", "ia3", "bottleneck", "prefix", "prompt", short=True)
    # of lora and dora; the width of a bottleneck
    rank: int = 8
    # lora's updates are multiplied by alpha / rank
    alpha: float = 16.0
    # of lora, dora and bottleneck
    dropout: float = 0.0
    # regular expressions over the backbone's module names (bottleneck: of what it is put behind);
    # empty: every linear and convolution of the blocks
    target: list[str] = field(default_factory=list)
    # learned tokens of prefix and prompt
    tokens: int = 16


@dataclass
class Regulariser:
    """A term added to the loss of every training step."""

    # l2_sp: stay near the start (Li 2018); bss: penalise the smallest singular values of the features (Chen 2019);
    # delta: keep the feature maps of the start (Li 2019, every channel weighing the same)
    kind: str = choice("l2_sp", "bss", "delta", short=True)
    # weight of the term
    alpha: float = 0.1
    # l2_sp: weight of the head's own decay
    beta: float = 0.01
    # bss: how many singular values
    smallest: int = 1


@dataclass
class Controller:
    """Looks at gradients or activations while training, and decides what freezes or how fast it learns."""

    # auto_rgn: rates by relative gradient norm (Lee 2022); autofreeze: freezes a growing prefix whose gradients
    # settle (Liu 2021); egeria: freezes the front-most stage whose activations settle (Wang 2022)
    kind: str = choice("auto_rgn", "autofreeze", "egeria", short=True)
    # between decisions
    every: str = "1 epochs"
    # auto_rgn: batches the norms are averaged over
    batches: int = 5
    # autofreeze: gradient changes below this percentile of the active stages' freeze
    percentile: float = 50.0
    # egeria: checks a slope is taken over, checks it must stay flat for, and what is flat
    window: int = 10
    patience: int = 3
    tolerance: float = 0.2
    # egeria: the learning rate has fallen this much: thaw everything
    thaw: float = 10.0


@dataclass
class Averaging:
    """One set of weights from several."""

    # ema and swa: running means over training; the soups: means of the best validations' weights (Wortsman 2022),
    # greedy keeps an ingredient only if validation gains; wise_ft: between start and end (Wortsman 2022)
    kind: str = choice("ema", "swa", "greedy_soup", "uniform_soup", "wise_ft", short=True)
    # ema: share of the old mean kept at each step
    decay: float = 0.999
    # swa: when it begins; it takes in the weights at every validation from then on
    start: str = "75%"
    # soups: at most this many ingredients
    size: int = 3
    # wise_ft: shares of the end tried on validation
    alphas: list[float] = field(default_factory=lambda: [i / 10 for i in range(11)])
