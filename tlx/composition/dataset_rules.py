"""What must fit together of a data set: its columns, how images are read and augmented, and what a backbone reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from tlx.composition import strategy_rules
from tlx.config import augmentation, band_files, image_values
from tlx.config.dataset import Dataset, modalities
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.fields import NEUTRAL

_PIXELS = {  # data sets whose images are pixels already, and what to do
    "digits": "leave it out",
    "glyphs": "leave it out",
    "objects": "tlx.dataset_from has laid what is transparent over black, and kept the frame that a picture stood at; "
    "do so otherwise before, or give files as dataset=imagefolder",
}


def modality_fits(config: Any) -> Iterator[ConfigIssue]:
    """A backbone of texts needs texts, one of images images, one of tables numbers or categories."""
    have, want = modalities(config.dataset), config.backbone.modality
    if want not in have:
        kind = f"{'an' if want[0] in 'aeiou' else 'a'} {want}"
        message = f"{kind} backbone cannot read the {have[0]}s of dataset={config.dataset.name} (tlx list dataset)"
        yield ConfigIssue("backbone", message, config.backbone.name)


def images_can_be_read(config: Any) -> Iterator[ConfigIssue]:
    """The options of images make sense, and there are images."""
    dataset = config.dataset
    columns = getattr(dataset, "columns", None) or {}
    unread = {"dataset": dataset} if "image" not in modalities(dataset) else {}
    unread |= {f"dataset.columns.{name}": one for name, one in columns.items() if one.type != "image"}
    for key, one in unread.items():
        for field in fields(image_values.ImageValues):
            value = getattr(one, field.name)
            if value is not None and value != field.metadata[NEUTRAL]:
                yield ConfigIssue(f"{key}.{field.name}", "of images alone; leave it out", value)
    places = [name for name, one in columns.items() if one.type == "image"] or ([""] if not unread else [])
    for place in places:
        try:
            image_values.of_column(dataset, place)
        except ConfigError as error:
            yield from error.problems


def images_of_memory_are_pixels(config: Any) -> Iterator[ConfigIssue]:
    """What says how files are decoded is refused where images are pixels already, as it would do nothing."""
    dataset = config.dataset
    if dataset.kind not in _PIXELS or "image" not in modalities(dataset):
        return
    known = {one.name: one.metadata[NEUTRAL] for one in fields(image_values.ImageValues)}
    for name in ("background", "frame"):
        if (value := getattr(dataset, name)) != known[name]:
            message = f"is of files and pictures, and these are arrays: {_PIXELS[dataset.kind]}"
            yield ConfigIssue(f"dataset.{name}", message, value)
    if dataset.kind == "objects" and dataset.layout == "chw":  # pictures and files are among them with channels last
        message = "tlx.dataset_from takes channels last: give it array.transpose(1, 2, 0)"
        yield ConfigIssue("dataset.layout", message, dataset.layout)


def files_of_bands_are_named(config: Any) -> Iterator[ConfigIssue]:
    """What the files of an image are called can be read, and there are images."""
    dataset = config.dataset
    columns = getattr(dataset, "columns", None) or {}
    named = {"dataset": (dataset, "image" in modalities(dataset))}
    named |= {f"dataset.columns.{name}": (one, one.type == "image") for name, one in columns.items()}
    for key, (one, is_of_images) in named.items():
        pattern = getattr(one, "band_files", None)
        if pattern is None:
            continue
        if not is_of_images:
            yield ConfigIssue(f"{key}.band_files", "of images alone; leave it out", pattern)
        else:
            yield from band_files.issues(pattern, f"{key}.band_files")


def columns_make_sense(config: Any) -> Iterator[ConfigIssue]:
    """Weights are numbers, and a label that is a number is one."""
    dataset = config.dataset
    for name, one in (getattr(dataset, "columns", None) or {}).items():
        if one.role == "weight" and one.type != "number":
            yield ConfigIssue(f"dataset.columns.{name}.type", "a weight is a number", one.type)
    if getattr(dataset, "label_type", "label") == "number" and dataset.label_separator:
        message = "parts labels, and dataset.label_type=number says that the label is one number; leave one of the two"
        yield ConfigIssue("dataset.label_separator", message, dataset.label_separator)


def validation_is_of_shots(config: Any) -> Iterator[ConfigIssue]:
    """Only shots can be shared between training and validation."""
    if config.dataset.validation == "within" and config.dataset.shots is None:
        message = "shares the shots of each class, and there are none: set dataset.shots, or leave it at extra"
        yield ConfigIssue("dataset.validation", message, "within")
    elif config.dataset.validation == "within" and "group" in (config.dataset.split_by, config.dataset.duplicates):
        message = "shares shots between training and validation one by one, whatever belongs together; use extra"
        yield ConfigIssue("dataset.validation", message, "within")
    elif config.dataset.validation == "within" and config.dataset.split_by == "time":
        message = "shares shots between training and validation, whatever their time is; use extra"
        yield ConfigIssue("dataset.validation", message, "within")


def augmentation_fits(config: Any) -> Iterator[ConfigIssue]:
    """Image augmentation is for images, and an exact solver sees each image once."""
    augment, listed = config.dataset.augment, config.dataset.augment_steps
    if augment == "steps" and not listed:
        yield ConfigIssue("dataset.augment_steps", "none are listed; expected some, such as [horizontal_flip]", listed)
    elif augment != "steps" and listed:
        yield ConfigIssue("dataset.augment", "the steps that are listed take dataset.augment=steps", augment)
    yield from augmentation.issues(listed, "dataset.augment_steps")
    yield from augmentation.view_issues(config.dataset.test_augment, "dataset.test_augment")
    if config.dataset.test_augment and "image" not in (have := modalities(config.dataset)):
        message = f"flips and turns images, and there are none among these {have[0]}s; leave it out"
        yield ConfigIssue("dataset.test_augment", message, list(config.dataset.test_augment))
    for kind in ("mixup", "cutmix"):
        key, mix = f"{kind}_alpha", config.dataset.mix
        if mix not in (kind, "both") and getattr(config.dataset, key) != getattr(Dataset, key):
            message = f"is of dataset.mix={kind}, and that is {mix}: nothing would read it"
            yield ConfigIssue(f"dataset.{key}", message, getattr(config.dataset, key))
    for key, value in (("augment", augment), ("mix", config.dataset.mix)):
        if value == "none":
            continue
        if "image" not in (have := modalities(config.dataset)):
            yield ConfigIssue(f"dataset.{key}", f"images only; use none for {have[0]}s", value)
        elif any(phase.solver in strategy_rules.EXACT for phase in config.strategy.phases):
            message = f"a phase that is solved exactly sees each image once; use dataset.{key}=none"
            yield ConfigIssue(f"dataset.{key}", message, value)
