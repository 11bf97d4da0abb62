"""``python -m tlx.orchestration.backends.job FILE``: one job of Hydra's plugin, from the file its launcher wrote."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cloudpickle
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import run_job, setup_globals
from omegaconf import open_dict


def main(file: Path) -> None:
    """Run the job, and leave what it returned beside the file."""
    context, function, config, state = cloudpickle.loads(file.read_bytes())
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    setup_globals()
    Singleton.set_state(state)
    if not first:  # a process that Lightning started beside the first: it computes, and leaves no folder of its own
        with open_dict(config):
            config.hydra.output_subdir = None
            config.hydra.job.name = f"{config.hydra.job.name}_rank{os.environ['LOCAL_RANK']}"
    HydraConfig.instance().set_config(config)
    done = run_job(
        hydra_context=context,
        task_function=function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
    if first:
        partial = file.with_suffix(".partial")
        partial.write_bytes(cloudpickle.dumps(done))
        partial.replace(file.with_suffix(".result"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
