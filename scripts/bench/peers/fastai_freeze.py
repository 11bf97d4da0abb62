"""Mimics fastai's transfer learning: a Learner with two parameter groups, ``freeze()``, a constant rate.

As usual there: its own loaders, its AdamW, a Recorder and a progress bar, accuracy and macro F1 as its metrics (the
latter by scikit-learn). Changed to do the same work: batches are not dropped or shuffled differently, ``train_bn`` is
false and the frozen backbone is kept in eval, betas and eps are torch's. The last weights are tested.
"""

from __future__ import annotations

import tempfile
from functools import partial

from bench import Bench
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import F1Score, accuracy
from fastai.optimizer import Adam
from fastai.torch_core import params
from network import Classifier
from torch import nn
from workload import Workload


def split(model: Classifier) -> list[list[nn.Parameter]]:
    """Backbone and head."""
    return [params(model.backbone), params(model.head)]


def loader(workload: Workload, name: str) -> DataLoader:
    """fastai's own loader; the last of a batch are the labels."""
    own = {"create_batch": partial(Workload.collate, workload)} if workload.is_text else {}  # fastai rebinds methods
    train = name == "train"
    return DataLoader(workload.dataset(name), bs=workload.work["batch_size"], shuffle=train, num_workers=0, **own)


def run(bench: Bench, lr: float) -> None:
    """One trial."""
    with tempfile.TemporaryDirectory() as folder:
        workload = bench.workload.load()
        beta, square = workload.work["betas"]
        learner = Learner(
            DataLoaders(loader(workload, "train"), loader(workload, "val"), device="cpu"),
            workload.model(bench.mode),
            loss_func=CrossEntropyLossFlat(),
            opt_func=partial(Adam, mom=beta, sqr_mom=square, eps=1e-8, decouple_wd=True),
            splitter=split,
            metrics=[accuracy, F1Score(average="macro")],
            path=folder,
            wd=workload.work["weight_decay"],
            wd_bn_bias=False,
            train_bn=False,
            moms=None,
        )
        learner.freeze()
        learner.fit(bench.epochs, lr)
        _, _, val_acc, _ = learner.recorder.values[-1]
        test = loader(workload, "test")
        test.to("cpu")  # fastai's gives nothing back
        _, test_acc, _ = learner.validate(dl=test)
        bench.lap(float(val_acc), float(test_acc), tested="last")


def main() -> None:
    """Run the trials one after the other."""
    bench = Bench(__doc__, modes=["head"], packages=["fastai"])
    for lr in bench.rates:
        run(bench, lr)
    bench.write()


if __name__ == "__main__":
    main()
