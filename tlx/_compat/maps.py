"""Files mapped into memory by NumPy."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np


def forget_pages(array: np.memmap[Any, Any]) -> None:
    """Let the system have the memory of what was read; it is read again when it is asked for."""
    array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
