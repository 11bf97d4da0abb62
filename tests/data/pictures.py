"""Pictures that tests of copies are made of, and what is said of data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from tlx.data.module import Data


def told_of(data: Data) -> str:
    return "\n".join(data.source.notes)


def save(root: Path, name: str, *frames: Any) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    first, *others = (Picture.fromarray(np.asarray(one, dtype=np.uint8)) for one in frames)
    more: dict[str, Any] = {"save_all": True, "append_images": others} if others else {}
    first.save(root / name, **more)


def scene(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return np.asarray(Picture.fromarray(rng.integers(256, size=(6, 6), dtype=np.uint8)).resize((32, 32), 3))
