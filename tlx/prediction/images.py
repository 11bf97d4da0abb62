"""Images that a trained model is given: files, pictures of PIL's and arrays, refused as evaluation refuses them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pictures

from tlx.columns import Image, image_numbers, image_seen
from tlx.columns.formats.pixels import NUMBERS, Array, Pixels, TooLarge
from tlx.columns.image_seen import Seen
from tlx.config import band_files
from tlx.config.dataset_parts import Limits
from tlx.files.printable import printable
from tlx.files.regular import reason
from tlx.prediction.refused import InvalidInput, first_line, kind_of


def looked_at(column: Image, value: Any, limits: Limits) -> tuple[Array, Seen]:
    """An image as the column reads it, and what is seen of it.

    Args:
        column: Of the model.
        value: A path, a picture of PIL's, or an array.
        limits: The most that is read of it.

    Raises:
        InvalidInput: It is none of the column's: what evaluation refuses of a file is refused here.
    """
    if isinstance(value, np.ndarray):
        return _of_array(column, value, limits)
    if not isinstance(value, (str, Path, pictures.Image)):
        raise InvalidInput(f"{_expected(column)}, found {kind_of(value)}")
    hint = ""
    if column.band_files and isinstance(value, (str, Path)) and Path(value).is_file():
        hint = _of_a_file(column, Path(value))
        column = column.read_of("")
    found, seen = _seen(column, value, limits)
    if fault := column.fault(seen):
        raise InvalidInput(fault + hint)
    return column.as_read(found), seen


def _of_array(column: Image, value: Array, limits: Limits) -> tuple[Array, Seen]:
    """Numbers in memory, which are taken as those that are sent to a served model."""
    if value.dtype.kind not in NUMBERS or value.ndim not in (2, 3):
        raise InvalidInput(f"{_expected(column)}, found {kind_of(value)}")
    if problem := column.problem(value):
        raise InvalidInput(problem)
    typed = image_numbers.typed_array(column, value)
    if typed is None:
        ends = f" from {value.min():g} to {value.max():g}"
        raise InvalidInput(f"{_expected(column)}, found {kind_of(value)}{ends}")
    found, seen = _seen(column, typed, limits)
    if fault := column.fault(replace(seen, dtype=image_numbers.stands_for(column, seen.dtype))):
        raise InvalidInput(fault)
    return column.as_read(found), seen


def _seen(column: Image, value: Any, limits: Limits) -> tuple[Pixels, Seen]:
    """A decoded image that can be used, and what is seen of it."""
    try:
        found = column.decoded(value, limits)
    except TooLarge as error:
        raise InvalidInput(str(error)) from None
    except FileNotFoundError:
        raise InvalidInput(f"no such file: {printable(value)}") from None
    except OSError as error:
        raise InvalidInput(f"unreadable image: {reason(error)}") from error
    except Exception as error:  # decoders raise anything: SyntaxError, struct.error, ...
        raise InvalidInput(f"unreadable image: {first_line(error)}") from error
    if problem := column.problem(found.values):
        raise InvalidInput(problem)
    return found, image_seen.seen(found)


def _of_a_file(column: Image, file: Path) -> str:
    """What to say of a file that does not hold all channels, where images are of several files.

    Raises:
        InvalidInput: It is one of the files of an image whose others are there as well.
    """
    bands = band_files.parsed(column.band_files)
    count, image = len(bands.names), bands.image_of(file.as_posix())
    if image is not None and all(one.is_file() for one in bands.of(image)):
        raise InvalidInput(f"is one of the {count} files of an image; name the image: {printable(image)}")
    return f"; expected a file of all channels, or the name of an image of the {count} files {column.band_files}"


def _expected(column: Image) -> str:
    if fault := image_numbers.refusal(column):
        return f"expected a path or an image of PIL's ({fault})"
    shape = "[c, h, w]" if column.layout == "chw" else "[h, w, c]"
    return f"expected a path, an image of PIL's, or an array [h, w] or {shape} of {image_numbers.values(column)}"
