"""The most that is read of an example, what belongs together, and the columns of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from tlx.config.fields import option


@dataclass
class Limits:
    """The most that is read of one example or file, so that a small file cannot fill the memory.

    With ``on_bad=skip`` they decide which examples there are.
    """

    pixels: int = option(
        178956970,
        "pixels of one image once decoded (PIL's own limit); four channels of an array count as one",
        neutral=178956970,
    )
    resized_pixels: int = option(
        1 << 26,
        "pixels of one image once resized, before it is cropped: an image 1000 times as long as "
        "wide becomes large there",
        neutral=1 << 26,
    )
    cell_characters: int = option(10000000, "characters of one cell of a table", neutral=10000000)
    row_bytes: int = option(1 << 26, "bytes of one row of CSV, JSON lines or SQLite", neutral=1 << 26)
    table_bytes: int = option(
        1 << 31,
        "bytes of what is read of a Parquet or SQLite file once decoded, 32 more for each cell",
        neutral=1 << 31,
    )


@dataclass
class Group:
    """What examples belong together by: a patient, a speaker, a place."""

    column: str | None = option(None, "a column of the file of rows, or a field of the data", neutral=None)
    pattern: str | None = option(
        None,
        "a regular expression whose first group is searched in the path of each image, below the root or as the row "
        "has it: '(patient[0-9]+)'",
        neutral=None,
    )


@dataclass
class Column:
    """A field of an example, and the column of a file that it is read from."""

    type: str = option(
        MISSING,
        "text; image: a path; label: a class; labels: several, parted by label_separator; number; category: a word "
        "out of a few",
        choices=("text", "image", "label", "labels", "number", "category"),
        required=True,
    )
    column: str | None = option(None, "what the file calls it; null: as it is called here")
    role: str | None = option(
        None,
        "input: read by the network; target: predicted; group, time, weight, id: known of an example; null: target of "
        "a label, input of all others",
        choices=("input", "target", "group", "time", "weight", "id"),
    )
    scale: Any = option(None, "of images: as dataset.scale; null: that of the data set", neutral=None)
    window: Any = option(None, "of images: as dataset.window; null: that of the data set", neutral=None)
    layout: str | None = option(
        None, "of images: as dataset.layout; null: that of the data set", choices=("auto", "hwc", "chw"), neutral=None
    )
    bands: list[int] | None = option(None, "of images: as dataset.bands; null: those of the data set", neutral=None)
    background: Any = option(None, "of images: as dataset.background; null: that of the data set", neutral=None)
    frame: int | None = option(None, "of images: as dataset.frame; null: that of the data set", least=0, neutral=None)
    band_files: str | None = option(None, "of images: as dataset.band_files; null: that of the data set", neutral=None)
