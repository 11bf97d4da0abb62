"""Whatever a file of data holds: examples, or a data error with its reason; never a traceback."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

import tlx
from tlx.config.errors import DataError
from tlx.data.module import Data

cells = some.text(some.sampled_from('abc,;"\n\r\t\0 1é{}[]:'), max_size=12)
objects = some.dictionaries(
    some.sampled_from(["text", "label", "other", ""]),
    some.one_of(cells, some.none(), some.floats(), some.integers(), some.lists(cells, max_size=2)),
    max_size=3,
)


def png() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(stream, "PNG")
    return stream.getvalue()


PNG = png()


def loaded(*words: str) -> None:
    trial = tlx.compose([*words])
    problems = []
    try:
        Data(trial.dataset, seed=0, batch_size=4)
    except DataError as error:
        problems = error.problems
    assert all(problem.message for problem in problems)


@given(
    some.one_of(
        some.binary(max_size=120),
        some.lists(some.lists(cells, max_size=3), max_size=6).map(
            lambda rows: "text,label\n" + "\n".join(",".join(row) for row in rows)
        ),
    ),
    some.sampled_from(["csv", "tsv"]),
)
def test_any_table(folder: Path, text: str | bytes, suffix: str) -> None:
    file = folder / f"data.{suffix}"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", errors="surrogatepass"))
    loaded("backbone=narrow_bert", "dataset=csv", f"dataset.file={file}")


@given(some.lists(some.one_of(objects.map(json.dumps), some.text(max_size=20)), max_size=6))
def test_any_json_lines(folder: Path, lines: list[str]) -> None:
    file = folder / "data.jsonl"
    file.write_bytes("\n".join(lines).encode("utf-8", errors="surrogatepass"))
    loaded("backbone=narrow_bert", "dataset=csv", f"dataset.file={file}")


@given(some.binary(max_size=200))
def test_any_parquet(folder: Path, text: bytes) -> None:
    file = folder / "data.parquet"
    file.write_bytes(b"PAR1" + text + b"PAR1")
    loaded("backbone=narrow_bert", "dataset=csv", f"dataset.file={file}")


@pytest.mark.parametrize("suffix", ["png", "jpg", "npy"])
@given(some.one_of(some.binary(max_size=80), some.tuples(some.integers(0, len(PNG) - 1), some.integers(1, 255))))
def test_any_picture(folder: Path, suffix: str, harm: bytes | tuple[int, int]) -> None:
    for name in ("a", "b"):
        for split in ("train", "val", "test"):
            place = folder / "photos" / split / name
            place.mkdir(parents=True, exist_ok=True)
            (place / "fine.png").write_bytes(PNG)
    content = bytearray(PNG)
    if isinstance(harm, bytes):
        content = bytearray(harm)
    else:
        content[harm[0]] ^= harm[1]
    (folder / "photos" / "train" / "a" / f"other.{suffix}").write_bytes(content)
    loaded("backbone=pixels", "dataset=imagefolder", f"dataset.root={folder / 'photos'}")
