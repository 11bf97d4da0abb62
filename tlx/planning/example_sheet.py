"""A sheet of training images as the network will see them: plain, and after augmentation, class by class.

What of training it does not show, such as images that are mixed, stands on it, and in the PNG as its ``Comment``.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from tlx.columns.input_spec import ImageSpec
from tlx.columns.reading import PLAIN, Indices
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial
from tlx.data.module import Data
from tlx.planning.trial_plan import MetaModel, data_of, outline
from tlx.strategies.phases import PhasePlan
from tlx.tasks.network import specs

_ROWS, _EXAMPLES, _VIEWS = 10, 3, 3  # classes; images of each; augmentations of each
_EDGE, _GAP, _TEXT = 112, 6, 16  # pixels


def draw(trial: Trial, made: MetaModel, software: str) -> bytes:
    """Draw the sheet: a row for each class, each image followed by its augmentations.

    Args:
        trial: Whose images.
        made: Its parts; data that were not fetched to make them are fetched now.
        software: What is written near its beginning, by which it is known again.

    Returns:
        A PNG.

    Raises:
        RequestError: The backbone reads no images, or data that are fetched cannot be used.
    """
    if not any(isinstance(spec, ImageSpec) for spec in specs(made.model).values()):
        raise ConfigError([ConfigIssue("--figure", "draws images, and this backbone reads none", "examples")])
    if (data := made.data) is None:
        data = data_of(trial)
        made = outline(trial, data)
    expected = specs(made.model)
    name, spec = next((name, spec) for name, spec in expected.items() if isinstance(spec, ImageSpec))
    data.prepare(expected, trial.reuse.views)
    reader = data.examples["train"].readers[name]
    plain = [phase.name for phase in made.phases if _is_plain(trial, phase)]
    is_augmented = trial.dataset.augment != "none" and len(plain) < len(made.phases)
    epochs = [PLAIN, *range(_VIEWS)] if is_augmented else [PLAIN]
    rows = [
        (title, [_pixels(reader.take([(epoch, place)])[0], spec) for place in places for epoch in epochs])
        for title, places in _rows(data)
    ]
    remarks = []
    if trial.dataset.augment != "none" and plain:
        whose = f"in {', '.join(plain)} " if is_augmented else ""
        remarks.append(f"images are plain {whose}(reuse.augment=off)")
    if trial.dataset.mix != "none":
        remarks.append(f"mixed in pairs, not drawn (dataset.mix={trial.dataset.mix})")
    return _sheet([*rows, *((remark, []) for remark in remarks)], len(epochs), software, remarks)


def _is_plain(trial: Trial, phase: PhasePlan) -> bool:
    """Does a phase see its images without augmentation, as it trains the head alone?"""
    return trial.reuse.augment == "off" and not any(name.startswith("backbone.") for name in phase.trainable)


def _rows(data: Data) -> Iterator[tuple[str, list[int]]]:
    """What examples are told apart by, and places of some of each among those that train."""
    train: Indices = data.splits["train"]
    strata = data.source.strata
    if strata is None:
        yield "train", list(range(min(_EXAMPLES * 3, len(train))))
        return
    codes = strata.codes[train]
    for number, title in list(enumerate(strata.names))[:_ROWS]:
        yield title, np.flatnonzero(codes == number)[:_EXAMPLES].tolist()
    if len(strata.names) > _ROWS:
        yield f"and {len(strata.names) - _ROWS} more", []


def _pixels(image: Tensor, spec: ImageSpec) -> npt.NDArray[np.uint8]:
    """[h, w, 3]; of more bands the first three."""
    if image.is_floating_point():
        mean, std = (torch.tensor(one).view(-1, 1, 1) for one in (spec.mean, spec.std))
        image = ((image * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
    image = image[:3] if len(image) >= 3 else image[:1].expand(3, -1, -1)
    values: npt.NDArray[np.uint8] = image.permute(1, 2, 0).contiguous().numpy()
    return values


def _sheet(rows: list[tuple[str, list[npt.NDArray[np.uint8]]]], group: int, software: str, remarks: list[str]) -> bytes:
    """``group``: images that belong together, the first of them plain; ``remarks``: on what is not drawn."""
    columns = max((len(images) for _, images in rows), default=1)
    heights = [_TEXT + _GAP + (_EDGE if images else 0) for _, images in rows]
    wide, high = columns * (_EDGE + _GAP) + _GAP, sum(heights) + _GAP
    sheet = Image.new("RGB", (wide, high), "white")
    pen = ImageDraw.Draw(sheet)
    for row, (title, images) in enumerate(rows):
        top = _GAP + sum(heights[:row])
        pen.text((_GAP, top), title.encode("latin-1", "replace").decode("latin-1"), fill="black")
        for place, values in enumerate(images):
            shown = Image.fromarray(values).resize((_EDGE, _EDGE), Image.Resampling.NEAREST)
            corner = (_GAP + place * (_EDGE + _GAP), top + _TEXT)
            sheet.paste(shown, corner)
            if place % group == 0:
                pen.rectangle(
                    (corner[0] - 2, corner[1] - 2, corner[0] + _EDGE + 1, corner[1] + _EDGE + 1), outline="black"
                )
    stream = io.BytesIO()
    known = PngInfo()
    known.add_text("Software", software)
    if remarks:
        known.add_text("Comment", "; ".join(remarks))
    sheet.save(stream, "PNG", pnginfo=known)
    return stream.getvalue()
