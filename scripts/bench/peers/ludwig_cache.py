"""Mimics Ludwig with ``cache_encoder_embeddings``: a text encoder that is run once, in Ludwig's preprocessing.

As ``ludwig train`` repeated over one table: the first trial encodes the texts and leaves the processed table beside
it, the next ones find it there. Ludwig's own ways stay: texts padded to the longest allowed, tokens averaged by its
``mean`` reduction, validation and test scored after every epoch with its own metrics (which know no F1), progress and
the best model saved. Changed: no early stopping, no clipping, AdamW at a constant rate (it decays the head's bias as
well). The test accuracy is that of the best validation. Needs an environment of its own, see ``requirements.txt``.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

from bench import Bench
from ludwig.api import LudwigModel


def config(bench: Bench, lr: float) -> dict[str, Any]:
    """Ludwig's configuration of a trial."""
    work = bench.workload.work
    return {
        "input_features": [
            {
                "name": "text",
                "type": "text",
                "preprocessing": {"cache_encoder_embeddings": True, "max_sequence_length": work["max_length"]},
                "encoder": {
                    "type": "auto_transformer",
                    "pretrained_model_name_or_path": str((bench.workload.folder / "encoder").resolve()),
                    "trainable": False,
                    "reduce_output": "mean",
                },
            }
        ],
        "combiner": {"type": "concat"},
        "output_features": [{"name": "label", "type": "category"}],
        "preprocessing": {"split": {"type": "fixed", "column": "split"}},
        "trainer": {
            "epochs": bench.epochs,
            "batch_size": work["batch_size"],
            "eval_batch_size": work["batch_size"],
            "learning_rate": lr,
            "learning_rate_scheduler": {"decay": None, "warmup_evaluations": 0, "warmup_fraction": 0.0},
            "optimizer": {"type": "adamw", "betas": work["betas"], "weight_decay": work["weight_decay"]},
            "gradient_clipping": {"clipglobalnorm": None},
            "early_stop": -1,
            "validation_field": "label",
            "validation_metric": "accuracy_micro",
        },
    }


def run(bench: Bench, lr: float, folder: Path) -> None:
    """One trial; processed texts are left in ``folder``."""
    model = LudwigModel(config(bench, lr), logging_level=logging.INFO, backend={"type": "local"})
    results = model.train(
        dataset=str(folder / "texts.csv"),
        output_directory=str(folder / "results"),
        random_seed=bench.workload.work["seed"],
    )
    scores = {name: getattr(results.train_stats, name)["label"]["accuracy_micro"] for name in ("validation", "test")}
    best = max(range(len(scores["validation"])), key=scores["validation"].__getitem__)
    bench.lap(float(scores["validation"][-1]), float(scores["test"][best]), tested="best")


def main() -> None:
    """Run the trials one after the other, on a copy of the table."""
    bench = Bench(__doc__, modes=["head"], packages=["ludwig"])
    if not bench.workload.is_text:
        raise SystemExit("this peer does the text workload alone")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(bench.workload.folder / "texts.csv", folder)
        for lr in bench.rates:
            run(bench, lr, Path(folder))
    bench.write()


if __name__ == "__main__":
    main()
