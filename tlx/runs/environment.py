"""The libraries and the machine a trial ran on, and the flags and environment variables that decide its bits."""

from __future__ import annotations

import os
import platform
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from tlx.files.secrets import redacted

_PREFIXES = (  # of what oneDNN, MKL, OpenMP, other BLAS libraries, CUDA's, NumPy and torch choose their arithmetic by
    *("DNNL_", "ONEDNN_", "MKL_", "OPENBLAS_", "BLIS_", "VECLIB_", "OMP_", "GOMP_", "KMP_", "CUBLAS_", "CUDNN_"),
    *("NPY_", "PYTORCH_", "TORCHINDUCTOR_", "TORCH_ALLOW_TF32_", "TORCH_BLAS_", "TORCH_CUDNN_", "TORCH_LINALG_"),
)
_VARIABLES = ("ATEN_CPU_CAPABILITY", "NVIDIA_TF32_OVERRIDE")
# tlx sets these itself, for a trial or for the processes of a sweep; the number torch settled on is a flag
_SETTLED = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@cache
def packages() -> dict[str, str]:
    """Installed packages and their versions, by the names of their metadata's folders (reading each takes too long)."""
    found: dict[str, str] = {}
    for place in map(Path, sys.path):
        for folder in place.glob("*.dist-info") if place.is_dir() else ():
            name, _, version = folder.name.removesuffix(".dist-info").partition("-")
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), version)
    return dict(sorted(found.items()))


@cache
def software() -> dict[str, str]:
    """Python, the system, and the libraries torch computes with."""
    import torch  # not by who only plans or lists

    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "blas": "mkl" if torch.backends.mkl.is_available() else "other",  # type: ignore[no-untyped-call]
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cuda": str(torch.version.cuda) if torch.cuda.is_available() else "none",
        "cudnn": str(torch.backends.cudnn.version()) if torch.cuda.is_available() else "none",  # type: ignore[no-untyped-call]
    }


@cache
def hardware() -> dict[str, Any]:
    """Processor, cores and GPUs of this machine."""
    import torch  # not by who only plans or lists

    gpus = (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    return {"cpu": _processor(), "cores": os.cpu_count() or 1, "gpus": gpus}


def flags() -> dict[str, Any]:
    """Threads, determinism and reduced precision, as they are now."""
    import torch  # not by who only plans or lists

    return {
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "matmul_precision": torch.get_float32_matmul_precision(),
        "default_dtype": str(torch.get_default_dtype()),
        "interop_threads": torch.get_num_interop_threads(),
        "mkldnn": torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled,  # type: ignore[no-untyped-call]
    }


def variables() -> dict[str, str]:
    """The environment variables that are set and change how libraries compute, without secrets."""
    found = {
        name: redacted(value)
        for name, value in os.environ.items()
        if (name.startswith(_PREFIXES) or name in _VARIABLES) and name not in _SETTLED
    }
    return dict(sorted(found.items()))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = re.findall(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8", errors="replace"), re.M)
        if names:
            return str(names[0]).strip()
    return platform.processor() or platform.machine()
