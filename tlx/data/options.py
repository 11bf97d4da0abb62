"""What a person can say about a data set."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from tlx.config.fields import IDENTITY, aside, choice


@dataclass
class Limits:
    """The most that is read of one example or file, so that a small file cannot fill the memory."""

    # pixels of one image once decoded (PIL's own limit); four channels of an array count as one
    pixels: int = aside(178_956_970)
    # pixels of one image once resized, before it is cropped: an image 1000 times as long as wide becomes large there
    resized_pixels: int = aside(1 << 26)
    # characters of one cell of a table
    cell_characters: int = aside(10_000_000)
    # bytes of one row of CSV or JSON lines
    row_bytes: int = aside(1 << 26)
    # bytes of a Parquet file's two columns once decoded, 64 more for each row
    table_bytes: int = aside(1 << 31)


@dataclass
class Dataset:
    """Examples with labels, split into train, val and test."""

    kind: str = MISSING
    modality: str = MISSING
    name: str = MISSING
    # where the source has no such split: test is this share of train, then val this share of what is left
    val: float = 0.15
    test: float = 0.2
    split_seed: int = 0
    # k labelled examples per class for training, the rest of train unused; null is all.
    # Nested (k=1 lies in k=5), and the same for every strategy at one seed
    shots: int | None = None
    # null: the trial's seed
    shots_seed: int | None = None
    # random, in training only: shift (2 px, wrapping), flip_crop (horizontal flip, random resized crop)
    augment: str = choice("none", "shift", "flip_crop")
    # what to do with an example that cannot be read
    on_bad: str = choice("error", "skip")
    eval_batch_size: int = aside(256)
    # the most that is read of one example or file
    limits: Limits = field(default_factory=Limits, metadata={IDENTITY: False})


@dataclass
class Digits(Dataset):
    """scikit-learn's 1797 scans of handwritten digits, 8 x 8 grey (Alpaydin & Kaynak 1998)."""

    kind: str = "digits"
    modality: str = "image"
    name: str = "digits"


@dataclass
class Glyphs(Dataset):
    """Characters rendered from the fonts inside matplotlib, 32 x 32 grey, with random pose and noise."""

    kind: str = "glyphs"
    modality: str = "image"
    name: str = "glyphs"
    characters: str = choice("letters", "digits", "both")
    n_train: int = 12000
    n_val: int = 1000
    n_test: int = 1000
    render_seed: int = 0


_PACKAGES = (
    "asyncio",
    "concurrent",
    "ctypes",
    "email",
    "http",
    "importlib",
    "logging",
    "multiprocessing",
    "tkinter",
    "unittest",
    "xml",
)


@dataclass
class Docstrings(Dataset):
    """The standard library's docstrings; the label is the package that holds them."""

    kind: str = "docstrings"
    modality: str = "text"
    name: str = "docstrings"
    # packages or modules of the standard library
    packages: list[str] = field(default_factory=lambda: list(_PACKAGES))


@dataclass
class ImageFolder(Dataset):
    """<root>/<class>/*.png, or <root>/{train,val,test}/<class>/*.png."""

    kind: str = "imagefolder"
    modality: str = "image"
    name: str = "imagefolder"
    root: str = aside(MISSING)


@dataclass
class Table(Dataset):
    """CSV, JSON lines or Parquet with a column of texts, or of image paths, and a column of labels."""

    kind: str = "table"
    modality: str = choice("text", "image")
    name: str = "table"
    file: str = aside(MISSING)  # the training rows
    val_file: str | None = aside(None)
    test_file: str | None = aside(None)
    # column names
    input: str = "text"
    label: str = "label"
    # several labels in one cell are split at this character; null: one label
    label_separator: str | None = None


@dataclass
class Hub(Dataset):
    """A data set of the Hugging Face hub, by name."""

    kind: str = "hub"
    modality: str = choice("text", "image")
    name: str = MISSING
    config: str | None = None
    revision: str | None = None
    input: str = "text"
    label: str = "label"
    splits: dict[str, str] = field(default_factory=lambda: {"train": "train"})


KINDS = {
    "digits": Digits,
    "glyphs": Glyphs,
    "docstrings": Docstrings,
    "imagefolder": ImageFolder,
    "table": Table,
    "hub": Hub,
}
