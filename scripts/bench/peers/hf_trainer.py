"""Mimics a script around ``transformers.Trainer``: evaluation and logging every epoch, nothing saved.

Defaults where they do not change the work: fused AdamW, progress bars, metrics from the logits by ``compute_metrics``
(here torchmetrics). Changed: a constant rate without warm-up, no clipping, and an optimizer of our own, as Trainer
would decay BatchNorm's scales. Trainer calls ``model.train()``, so the wrapper keeps what is frozen in eval. The last
weights are tested.
"""

from __future__ import annotations

import tempfile
from typing import Any

import torch
from bench import Bench
from network import Classifier
from torch import Tensor, nn
from torch.utils.data import default_collate
from transformers import EvalPrediction, Trainer, TrainingArguments
from workload import Workload


class Wrapper(nn.Module):
    """The classifier with the loss inside, as Trainer wants it."""

    def __init__(self, net: Classifier) -> None:
        super().__init__()
        self.net = net

    def forward(
        self,
        labels: Tensor,
        pixel_values: Tensor | None = None,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> dict[str, Tensor]:
        given = (pixel_values, input_ids, attention_mask)
        logits = self.net(*(one for one in given if one is not None))
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


class Collator:
    """Batches as Trainer's dictionaries."""

    def __init__(self, workload: Workload) -> None:
        self.collate = workload.collate if workload.is_text else default_collate
        self.names = ("input_ids", "attention_mask", "labels") if workload.is_text else ("pixel_values", "labels")

    def __call__(self, samples: list[Any]) -> dict[str, Tensor]:
        return dict(zip(self.names, self.collate(samples), strict=True))


def run(bench: Bench, lr: float) -> None:
    """One trial."""
    with tempfile.TemporaryDirectory() as folder:
        workload = bench.workload.load()
        metrics = workload.metrics("")
        batch = workload.work["batch_size"]

        def measure(seen: EvalPrediction) -> dict[str, float]:
            metrics.reset()
            values = metrics(torch.from_numpy(seen.predictions), torch.from_numpy(seen.label_ids))
            return {name: float(value) for name, value in values.items()}

        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=bench.epochs,
            per_device_train_batch_size=batch,
            per_device_eval_batch_size=batch,
            learning_rate=lr,
            lr_scheduler_type="constant",
            max_grad_norm=0.0,
            eval_strategy="epoch",
            logging_strategy="epoch",
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            seed=workload.work["seed"],
        )
        model = Wrapper(workload.model(bench.mode))
        trainer = Trainer(
            model,
            arguments,
            data_collator=Collator(workload),
            train_dataset=workload.dataset("train"),
            eval_dataset=workload.dataset("val"),
            compute_metrics=measure,
            optimizers=(workload.optimizer(model.net, lr, fused=True), None),
        )
        trainer.train()
        val_acc = [row["eval_acc"] for row in trainer.state.log_history if "eval_acc" in row][-1]
        test_acc = trainer.evaluate(workload.dataset("test"), metric_key_prefix="test")["test_acc"]
        bench.lap(val_acc, test_acc, tested="last", saves="no")


def main() -> None:
    """Run the trials one after the other."""
    bench = Bench(__doc__, packages=["transformers", "accelerate"])
    for lr in bench.rates:
        run(bench, lr)
    bench.write()


if __name__ == "__main__":
    main()
