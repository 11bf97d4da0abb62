"""Gradual unfreezing as people write it by hand: a Lightning callback that thaws a stage from the top now and then.

The head trains alone for E / 5 epochs (at least one), then after every so many the next of four levels is thawed and
given to the optimizer as new parameter groups: resnet layer4, layer3, layer2, layer1 with the stem; ViT three blocks
at a time; BERT a layer at a time. Everything else as in ``lightning_template.py``. One rate for all, as elsewhere.
"""

from __future__ import annotations

import pytorch_lightning as pl
from bench import Bench
from lightning_template import TemplateModule, run
from pytorch_lightning.callbacks import BaseFinetuning
from torch.optim import Optimizer


class GradualUnfreezing(BaseFinetuning):
    """After every ``every`` epochs the next level."""

    def __init__(self, levels: list[list[str]], every: int) -> None:
        super().__init__()
        self.levels = levels
        self.every = every

    def freeze_before_training(self, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, TemplateModule)
        pl_module.net.backbone.requires_grad_(False)  # Lightning's freeze() would stop BatchNorm's statistics for good

    def finetune_function(self, pl_module: pl.LightningModule, epoch: int, optimizer: Optimizer) -> None:
        assert isinstance(pl_module, TemplateModule)
        number, rest = divmod(epoch, self.every)
        if rest or not 1 <= number <= len(self.levels):
            return
        net = pl_module.net
        for group in pl_module.workload.groups(net, net.thaw(self.levels[number - 1]), pl_module.lr):
            optimizer.add_param_group(group)


def main() -> None:
    """Run the trials one after the other."""
    bench = Bench(__doc__, modes=["gradual"], packages=["pytorch-lightning"])
    levels = bench.workload.work["levels"]
    for lr in bench.rates:
        run(bench, lr, GradualUnfreezing(levels, max(1, bench.epochs // (len(levels) + 1))))
    bench.write()


if __name__ == "__main__":
    main()
