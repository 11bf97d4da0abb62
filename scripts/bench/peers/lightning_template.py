"""Mimics ashleve/lightning-hydra-template: one LightningModule and one Trainer per trial, with the usual callbacks.

As there: torchmetrics, ``self.log(on_step=False, on_epoch=True, prog_bar=True)``, a CSV logger, a checkpoint of the
whole network by ``val/acc`` (best and last), early stopping with patience 100, a rich progress bar and a model
summary; at the end the best checkpoint is tested. Unlike there: no Hydra, a constant learning rate, macro F1 beside
accuracy, and only what trains is given to the optimizer.
"""

from __future__ import annotations

import tempfile
from typing import Any

import pytorch_lightning as pl
import torch
from bench import Bench
from network import Classifier
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichModelSummary, RichProgressBar
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor
from torchmetrics import MaxMetric, MeanMetric
from workload import Workload


class TemplateModule(pl.LightningModule):
    """The template's MNISTLitModule, for any network."""

    def __init__(self, net: Classifier, workload: Workload, lr: float) -> None:
        super().__init__()
        self.net = net
        self.workload = workload
        self.lr = lr
        self.criterion = torch.nn.CrossEntropyLoss()
        self.train_metrics = workload.metrics("train/")
        self.val_metrics = workload.metrics("val/")
        self.test_metrics = workload.metrics("test/")
        self.train_loss = MeanMetric()
        self.val_loss = MeanMetric()
        self.test_loss = MeanMetric()
        self.val_acc_best = MaxMetric()

    def on_train_start(self) -> None:
        self.val_loss.reset()
        self.val_metrics.reset()
        self.val_acc_best.reset()

    def model_step(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        *inputs, y = batch
        logits = self.net(*inputs)
        return self.criterion(logits, y), logits, y

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        loss, logits, targets = self.model_step(batch)
        self.train_loss(loss)
        self.train_metrics(logits, targets)
        self.log("train/loss", self.train_loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log_dict(self.train_metrics, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        loss, logits, targets = self.model_step(batch)
        self.val_loss(loss)
        self.val_metrics(logits, targets)
        self.log("val/loss", self.val_loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log_dict(self.val_metrics, on_step=False, on_epoch=True, prog_bar=True)

    def on_validation_epoch_end(self) -> None:
        self.val_acc_best(self.val_metrics["acc"].compute())
        self.log("val/acc_best", self.val_acc_best.compute(), sync_dist=True, prog_bar=True)

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        loss, logits, targets = self.model_step(batch)
        self.test_loss(loss)
        self.test_metrics(logits, targets)
        self.log("test/loss", self.test_loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log_dict(self.test_metrics, on_step=False, on_epoch=True, prog_bar=True)

    def configure_optimizers(self) -> Any:
        return self.workload.optimizer(self.net, self.lr)


def run(bench: Bench, lr: float, *more: Callback) -> None:
    """One trial, as the template's ``train.py``: fit, then test the best checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        workload = bench.workload.load()
        module = TemplateModule(workload.model(bench.mode), workload, lr)
        checkpoint = ModelCheckpoint(
            f"{folder}/checkpoints", "epoch_{epoch:03d}", "val/acc", mode="max", save_last=True,
            auto_insert_metric_name=False,
        )  # fmt: skip
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=1,
            min_epochs=1,
            max_epochs=bench.epochs,
            default_root_dir=folder,
            logger=CSVLogger(folder, name="csv", prefix=""),
            callbacks=[
                checkpoint,
                EarlyStopping("val/acc", patience=100, mode="max"),
                RichModelSummary(max_depth=-1),
                RichProgressBar(),
                *more,
            ],
            deterministic=False,
        )
        trainer.fit(module, workload.loader("train"), workload.loader("val"))
        val_acc = float(trainer.callback_metrics["val/acc"])
        trainer.test(module, workload.loader("test"), ckpt_path=checkpoint.best_model_path, weights_only=False)
        bench.lap(val_acc, float(trainer.callback_metrics["test/acc"]), tested="best")


def main() -> None:
    """Run the trials one after the other."""
    bench = Bench(__doc__, packages=["pytorch-lightning"])
    for lr in bench.rates:
        run(bench, lr)
    bench.write()


if __name__ == "__main__":
    main()
