"""What a person can say about a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from tlx.config.dataset_parts import Column, Group, Limits
from tlx.config.fields import option
from tlx.config.image_values import ImageValues

SHUFFLE = "shuffle"  # the sampler by which every example comes once per epoch


@dataclass
class Dataset(ImageValues):
    """Examples with labels, split into train, val and test."""

    kind: str = MISSING
    modality: str = MISSING
    name: str = option(MISSING, "what runs are called by", runtime_only=True)
    val: float = option(
        0.15,
        "where the source has no such split: test is this share of train, then val this share of what is left",
        above=0,
        below=1,
    )
    test: float = option(0.2, "where the source has no test split: its share of train; 0: none", least=0, below=1)
    split_seed: int = option(0, "of the splits that are cut")
    shots: int | None = option(
        None,
        "k labelled examples per class for training, the rest of train unused; null is all. "
        "Nested (k=1 lies in k=5), and the same for every strategy at one seed",
        above=0,
    )
    shots_seed: int | None = option(None, "null: the trial's seed")
    validation: str = option(
        help="with shots: extra: the whole split validates, whose labels come on top; within: the share `val` of each "
        "class's k examples validates (at least one), the others train",
        choices=("extra", "within"),
        neutral="extra",
    )
    augment: str = option(
        help="random, in training only: shift (2 px, wrapping), flip_crop (horizontal flip, random resized crop), "
        "light (a milder crop, flip), standard (crop, flip, TrivialAugment), strong (a harder crop, flip, RandAugment, "
        "erasing), or steps: those of augment_steps",
        choices=("none", "shift", "flip_crop", "light", "standard", "strong", "steps"),
    )
    augment_steps: list[Any] = option(
        help="with augment=steps: in this order, each a word or with its options: [horizontal_flip, {rotation: "
        "{degrees: 20}}]; resized_crop, horizontal_flip, vertical_flip, rotation, color_jitter, rand_augment, "
        "trivial_augment, aug_mix, erasing",
        factory=list,
        neutral=[],
    )
    mix: str = option(
        help="training batches are mixed with themselves: mixup (Zhang 2018), cutmix (Yun 2019), both: one of them at "
        "random",
        choices=("none", "mixup", "cutmix", "both"),
        neutral="none",
    )
    mixup_alpha: float = option(0.2, "of the Beta distribution of the share", above=0, neutral=0.2)
    cutmix_alpha: float = option(1.0, "of the Beta distribution of the share", above=0, neutral=1.0)
    on_bad: str = option(help="what to do with an example that cannot be read", choices=("error", "skip"))
    eval_batch_size: int = option(256, "examples at a time in validation and test", rounding_only=True, above=0)
    limits: Limits = option(help="the most that is read of one example or file", factory=Limits, neutral=Limits())
    sampler: str = option(
        help="shuffle: every example once per epoch; balanced: as many of each class; square_root: of each class by "
        "the square root of its size (Mahajan 2018). These two draw some examples several times, others not at all, "
        "as many in all as there are",
        choices=(SHUFFLE, "balanced", "square_root"),
        neutral=SHUFFLE,
    )
    split_by: str = option(
        help="what is cut by: random; group: no group lies in two splits; time: the latest tests, the latest of the "
        "rest validates",
        choices=("random", "group", "time"),
        neutral="random",
    )
    group: Group = option(help="what examples belong together by", factory=Group, neutral=Group())
    time: str | None = option(
        None, "the column of numbers or ISO dates for split_by=time; null: the one of role time", neutral=None
    )
    folds: int | None = option(
        None, "cut into so many parts of which `fold` is the test, in place of the share `test`", neutral=None, least=2
    )
    fold: int = option(0, "which of the folds tests, from 0 on", neutral=0, least=0)
    duplicates: str = option(
        help="examples of equal content in several splits: warn: said; group: kept in one split; error: refused",
        choices=("warn", "group", "error"),
        neutral="warn",
    )
    near_duplicates: int | None = option(
        None,
        "images count as duplicates whose perceptual hashes (dHash, 64 bits) differ in at most so many bits; null: "
        "those of equal content alone",
        neutral=None,
        least=0,
        most=16,
    )
    test_augment: list[str] = option(
        help="test-time augmentation: what is tested and predicted is the mean over images as they are and these views "
        "of them: horizontal_flip, vertical_flip, rotate_90, rotate_180, rotate_270, transpose, transverse; validation "
        "and training see none",
        factory=list,
        neutral=[],
    )


@dataclass
class Digits(Dataset):
    """scikit-learn's 1797 scans of handwritten digits, 8 x 8 grey (Alpaydin & Kaynak 1998)."""

    kind: str = "digits"
    modality: str = "image"
    name: str = option("digits", "what runs are called by", runtime_only=True)


@dataclass
class Glyphs(Dataset):
    """Characters rendered from the fonts inside matplotlib, 32 x 32 grey, with random pose and noise."""

    kind: str = "glyphs"
    modality: str = "image"
    name: str = option("glyphs", "what runs are called by", runtime_only=True)
    characters: str = option(help="which are rendered", choices=("letters", "digits", "both"))
    n_train: int = option(12000, "training images")
    n_val: int = option(1000, "validation images")
    n_test: int = option(1000, "test images")
    render_seed: int = option(0, "of pose and noise")


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
    name: str = option("docstrings", "what runs are called by", runtime_only=True)
    packages: list[str] = option(help="packages or modules of the standard library", factory=lambda: list(_PACKAGES))


@dataclass
class ImageFolder(Dataset):
    """<root>/<class>/*.png, or <root>/{train,val,test}/<class>/*.png."""

    kind: str = "imagefolder"
    modality: str = "image"
    name: str = option("imagefolder", "what runs are called by", runtime_only=True)
    root: str = option(MISSING, "the folder", runtime_only=True)
    folders: str = option(
        help="what the folders of the root are; auto: splits where two of them or more have the name of one",
        choices=("auto", "classes", "splits"),
        neutral="auto",
    )
    nested: bool = option(False, "a class is the whole path of the folder that holds its images", neutral=False)
    band_files: str | None = option(
        None,
        "images are of one file per band, called so, in this order: {image}_B{02,03,04}.tif, or {image}/{B02,B03}.tif "
        "where each has a folder of its own; null: every file is an image",
        neutral=None,
    )


@dataclass
class Table(Dataset):
    """CSV, JSON lines, Parquet or SQLite: a column of texts or of image paths, or many of numbers and words."""

    kind: str = "table"
    modality: str = option(help="what is read; table: numbers and categories", choices=("text", "image", "table"))
    name: str = option("table", "what runs are called by", runtime_only=True)
    file: str = option(MISSING, "the training rows", runtime_only=True)
    val_file: str | None = option(None, "the validation rows; null: cut from the training rows", runtime_only=True)
    test_file: str | None = option(None, "the test rows; null: cut from the training rows", runtime_only=True)
    table: str | None = option(None, "of SQLite: which table or view; null: its only one", neutral=None)
    input: str = option("text", "the column of texts or image paths; of numbers and categories, all are read")
    label: str = option("label", "the column of labels")
    label_type: str = option(
        help="label: one class per example, or several where label_separator parts them; number: to be predicted as it "
        "is",
        choices=("label", "number"),
        neutral="label",
    )
    label_separator: str | None = option(
        None, "several labels in one cell are split at this character; null: one label"
    )
    columns: dict[str, Column] = option(
        help="name -> its type, the file's column and its role, in place of input and label; empty: as these say; of "
        "numbers and categories: every column of the file, numbers where no cell of train is anything else",
        factory=dict,
        neutral={},
    )
    labels: list[str] = option(
        help="columns of 1 and 0, one for each label of an example, in place of label; blank, NaN and -1 are unknown",
        factory=list,
        neutral=[],
    )
    unknown: str = option(
        help="what an unknown label is in training: ignore: it is not in the loss; zeros: 0; ones: 1; it counts in no "
        "metric and in no loss of held-out examples",
        choices=("ignore", "zeros", "ones"),
        neutral="ignore",
    )
    band_files: str | None = option(
        None,
        "images are of one file per band, called so, in this order: {image}_B{02,03,04}.tif, or {image}/{B02,B03}.tif "
        "where each has a folder of its own; {image} is the path in the table, as it stands; null: it is the file",
        neutral=None,
    )


@dataclass
class Hub(Dataset):
    """A data set of the Hugging Face hub, by name."""

    kind: str = "hub"
    modality: str = option(choices=("text", "image"))
    name: str = option(MISSING, "which data set, and what runs are called by")
    config: str | None = option(None, "the configuration of the data set; null: its only one")
    revision: str | None = option(None, "a commit, tag or branch; null: the latest")
    input: str = option("text", "the column of texts or image paths")
    label: str = option("label", "the column of labels")
    splits: dict[str, str] = option(
        help="train, val and test -> the names they have there", factory=lambda: {"train": "train"}
    )


@dataclass
class Objects(Dataset):
    """Examples of a Python program, as ``tlx.dataset_from`` has put them into the cache."""

    kind: str = "objects"
    modality: str = option(help="what is read; table: numbers and categories", choices=("image", "text", "table"))
    name: str = option("objects", "what runs are called by", runtime_only=True)
    content: str = option(MISSING, "the hash of the examples, as tlx.dataset_from gives it")


_MODALITY = {"number": "table", "category": "table"}


def modalities(dataset: Any) -> list[str]:
    """What of a data set a network can read: image, text, table, or several.

    Args:
        dataset: Its options, or their configuration.
    """
    columns = getattr(dataset, "columns", None) or {}
    kinds = [one.type for one in columns.values() if one.role in (None, "input") and not one.type.startswith("label")]
    return [*dict.fromkeys(_MODALITY.get(kind, kind) for kind in kinds)] or [dataset.modality]
