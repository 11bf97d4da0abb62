"""What runs in a trial's own process, forked from a server that has done the imports."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from tlx.config.errors import RequestError
from tlx.config.schema import Trial

LOG = "log.txt"
REFUSED, BUSY = 2, 3
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def preload(trials: list[Trial]) -> list[str]:
    """The modules the server imports once for all: only libraries, nothing that starts threads or opens files."""
    modules = ["tlx.trial.story", "torchvision.transforms.v2", "sklearn.linear_model", "sklearn.model_selection"]
    modules += {"tlx.backbones.transformers_texts" for t in trials if t.backbone.kind == "transformers"}
    modules += {"tlx.backbones.timm_images" for t in trials if t.backbone.kind == "timm"}
    modules += {f"tlx.data.{t.dataset.kind}" for t in trials}
    return modules + (["sklearn.datasets"] if any(t.dataset.kind == "digits" for t in trials) else [])


def run(trial: Trial, folder: str, threads: int, gpus: str | None = None) -> None:
    """Train one trial with its output in ``folder/log.txt``; exit code 0 finished, 1 failed, ``REFUSED``, ``BUSY``."""
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus  # read when CUDA starts, which no forked server has done
    import torch

    from tlx.trial.folder import Busy
    from tlx.trial.story import train

    log = Path(folder) / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    stream = log.open("a", encoding="utf-8", buffering=1)
    os.dup2(stream.fileno(), sys.stdout.fileno())
    os.dup2(stream.fileno(), sys.stderr.fileno())
    torch.set_num_threads(threads)
    if trial.hardware.threads is None:
        trial.hardware.threads = threads
    try:
        train(trial, lambda line: print(line, flush=True))
    except RequestError as error:
        print(error.block(), flush=True)
        os._exit(REFUSED)
    except Busy as busy:
        print(f"tlx: {busy}", flush=True)
        os._exit(BUSY)
    except BaseException:
        traceback.print_exc()
        sys.stdout.flush()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)  # everything is on disk; taking torch apart again takes longer than a small trial
