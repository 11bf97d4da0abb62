"""What a strategy can have beside its phases: PEFT, a regulariser, a controller, averaging of weights."""

from __future__ import annotations

from dataclasses import dataclass

from tlx.config.fields import option


@dataclass
class Peft:
    """Small trained parts put into a frozen network (lora, dora and ia3 need ``pip install 'tlx[peft]'``)."""

    kind: str = option(
        help="bottleneck: adapters after each block (Houlsby 2019); prefix and prompt: learned tokens, texts only",
        choices=("lora", "dora", "ia3", "bottleneck", "prefix", "prompt"),
        short=True,
    )
    rank: int = option(8, "of lora and dora; the width of a bottleneck", above=0)
    alpha: float = option(16.0, "lora's updates are multiplied by alpha / rank", above=0)
    dropout: float = option(0.0, "of lora, dora and bottleneck", least=0, below=1)
    target: list[str] = option(
        help="regular expressions over the backbone's module names (bottleneck: of what it is put "
        "behind); empty: every linear and convolution of the blocks",
        factory=list,
    )
    tokens: int = option(16, "learned tokens of prefix and prompt", above=0)


@dataclass
class Regulariser:
    """A term added to the loss of every training step."""

    kind: str = option(
        help="l2_sp: stay near the start (Li 2018); bss: penalise the smallest singular values of the "
        "features (Chen 2019); delta: keep the feature maps of the start (Li 2019, every channel "
        "weighing the same)",
        choices=("l2_sp", "bss", "delta"),
        short=True,
    )
    alpha: float = option(0.1, "weight of the term", least=0)
    beta: float = option(0.01, "l2_sp: weight of the head's own decay", least=0)
    smallest: int = option(1, "bss: how many singular values", above=0)


@dataclass
class Controller:
    """Looks at gradients or activations while training, and decides what freezes or how fast it learns."""

    kind: str = option(
        help="auto_rgn: rates by relative gradient norm (Lee 2022); autofreeze: freezes a growing "
        "prefix whose gradients settle (Liu 2021); egeria: freezes the front-most stage whose "
        "activations settle (Wang 2023)",
        choices=("auto_rgn", "autofreeze", "egeria"),
        short=True,
    )
    every: str = option("1 epochs", "between decisions")
    batches: int = option(5, "auto_rgn: batches the norms are averaged over", above=0)
    percentile: float = option(
        50.0, "autofreeze: gradient changes below this percentile of the active stages' freeze", least=0, most=100
    )
    window: int = option(
        10, "egeria: checks a slope is taken over, checks it must stay flat for, and what is flat", least=2
    )
    patience: int = option(3, "egeria: checks the slope must stay flat for", above=0)
    tolerance: float = option(0.2, "egeria: what slope is flat", least=0)
    thaw: float = option(10.0, "egeria: the learning rate has fallen this much: thaw everything", above=0)


@dataclass
class Averaging:
    """One set of weights from several."""

    kind: str = option(
        help="ema and swa: running means over training; the soups: means of the best validations' "
        "weights (Wortsman 2022), greedy keeps an ingredient only if validation gains; wise_ft: "
        "between start and end (Wortsman 2022)",
        choices=("ema", "swa", "greedy_soup", "uniform_soup", "wise_ft"),
        short=True,
    )
    decay: float = option(0.999, "ema: share of the old mean kept at each step", least=0, below=1)
    start: str = option("75%", "swa: when it begins; it takes in the weights at every validation from then on")
    size: int = option(3, "soups: at most this many ingredients", above=0)
    alphas: list[float] = option(
        help="wise_ft: shares of the end tried on validation", factory=lambda: [i / 10 for i in range(11)]
    )
    norms: str = option(
        help="statistics of BatchNorm: refresh estimates them under the averaged weights, by a pass over the training "
        "batches; follow takes those of training (ema), or their mean (soups, wise_ft); auto: refresh for swa, else "
        "follow",
        choices=("auto", "refresh", "follow"),
        neutral="auto",
    )

    @property
    def refreshes_norms(self) -> bool:
        """Are the statistics of BatchNorm estimated under the averaged weights?"""
        return self.norms == "refresh" or (self.norms == "auto" and self.kind == "swa")
