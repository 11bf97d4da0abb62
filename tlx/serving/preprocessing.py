"""What has to be done to raw values before a graph reads them, as data: a graph contains the network alone."""

from __future__ import annotations

from typing import Any

from tlx.columns import Category, Image, Number
from tlx.columns.image_scale import BYTES
from tlx.columns.input_spec import ImageSpec, TextSpec
from tlx.config.augmentation import views_said
from tlx.prediction.model import Model

_CURVES = {  # PS3.3 C.11.2.1 of DICOM
    "LINEAR": "((value - (centre - 0.5)) / (width - 1) + 0.5) * 255",
    "LINEAR_EXACT": "((value - centre) / width + 0.5) * 255",
    "SIGMOID": "255 / (1 + exp(-4 * (value - centre) / width))",
}
_THEN = "cut off to 0..255, a channel each; LINEAR of width 1 is 0 up to centre - 0.5 and 255 above"
_THEN += "; of DICOM's MONOCHROME1 it is 255 minus that"


def arguments_of(model: Model) -> dict[str, str]:
    """The inputs of a graph, each with the column that it is made of."""
    reads: dict[str, str] = model.network.reads  # type: ignore[assignment]
    beside: dict[str, str] = getattr(getattr(model.network, "beside", None), "reads", {})
    taken = set(reads)
    return reads | {(f"{name} (column)" if name in taken else name): column for name, column in beside.items()}


def output_of(model: Model) -> str:
    """What a graph gives: numbers in their own units, or logits."""
    return "prediction" if any(isinstance(one, Number) for one in model.schema.targets.values()) else "logits"


def of(model: Model) -> dict[str, Any]:
    """Inputs with their preparation, in order, and what the output means; plain enough for JSON."""
    inputs = {}
    for argument, column in arguments_of(model).items():
        inputs[argument] = {"column": column, "kind": model.inputs[column].kind, **_prepared(model, column)}
    found: dict[str, Any] = {"inputs": inputs, "output": output_of(model), "targets": list(model.schema.targets)}
    if views := model.trial.dataset.test_augment:
        found["views"] = list(views)  # the graph makes them itself
    return found | ({"classes": model.classes} if model.classes is not None else {})


def _prepared(model: Model, column: str) -> dict[str, Any]:
    spec, known = model.specs.get(column), model.inputs[column]
    if isinstance(spec, ImageSpec):
        assert isinstance(known, Image)
        return {
            "layout": "NCHW",
            "dtype": "float32",
            "channels": spec.channels,
            "size": [spec.height, spec.width],
            "resize": f"the shorter side to size / {spec.crop:g}, {spec.interpolation} with antialiasing; centre crop",
            "range": "pixel / 255",
            "mean": list(spec.mean),
            "std": list(spec.std),
            "statistics": "train" if known.mean == spec.mean else "backbone",
            "pixel": pixel(known),
        }
    if isinstance(spec, TextSpec):
        names = ["input_ids", "attention_mask"]
        tokenizer = type(spec.tokenizer).__name__
        known_of = {"max_length": spec.max_length, "padding": spec.pad_id, "tokenizer": tokenizer}
        return {"inputs": names, "layout": "[batch, tokens]", "dtype": "int64", **known_of}
    if isinstance(known, Number):
        return {"layout": "[batch]", "dtype": "float32", "mean": known.mean, "std": known.deviation}
    assert isinstance(known, Category)
    words = {"categories": list(known.categories), "value": "the place among the categories from 1 on, 0 for others"}
    return {"layout": "[batch]", "dtype": "int64", **words}


def pixel(column: Image) -> dict[str, Any]:
    """How pixels in 0..255, which are then resized, are made of the values of a file or an array; plain enough for
    JSON.

    The formulas are expressions of Python and NumPy.
    """
    found: dict[str, Any] = {"layout": column.layout, "background": list(column.background)}
    if column.band_files:
        found["band_files"] = column.band_files
    if column.frame >= 0:
        found["frame"] = column.frame
    if column.bands:
        found["bands"] = list(column.bands)
    if column.windowed:
        of_file = column.window_of_file
        found["windows"] = "that of the file" if of_file else [list(one) for one in column.windows]
        found["of"] = "the function that the file names, LINEAR where it names none" if of_file else _CURVES["LINEAR"]
        if of_file:
            found["functions"] = dict(_CURVES)
        found["then"] = _THEN
        return found
    black, white = column.scale or (None, None)
    found |= {"black": black, "white": white, "rounded": column.dtype == "uint8"}
    found["of"] = "(value - black) / (white - black) * 255"
    found["then"] = "cut off to 0..255"
    if not column.scale:
        found["ends"] = "black and white are what a file says (its bits, after slope and intercept), "
        found["ends"] += "else the ends of its type, 0 and 1 of floats"
    if column.stored:
        found["type"] = column.stored
    return found


def lines(told: dict[str, Any]) -> list[str]:
    """The same for a person, a line for each input."""
    found = []
    for name, one in told["inputs"].items():
        size = f" {one['channels']} x {' x '.join(map(str, one['size']))}" if "size" in one else ""
        scaled = f", ({one.get('range', 'value')} - mean) / std" if "mean" in one else ""
        moments = f" with mean {_short(one['mean'])} and std {_short(one['std'])}" if "mean" in one else ""
        found.append(f"input {name}: {one['kind']}{size}, {one['layout']} {one['dtype']}{scaled}{moments}")
        how = one.get("pixel", _PLAIN)
        if how != _PLAIN:
            found.append(f"  pixel: {'; '.join(f'{what}: {value}' for what, value in how.items())}")
    return [*found, *([f"output: of {views_said(told['views'])}"] if "views" in told else [])]


_PLAIN = pixel(Image("image", dtype="uint8", scale=BYTES))  # nobody has to be told


def _short(value: Any) -> str:
    return ", ".join(f"{one:.4g}" for one in (value if isinstance(value, list) else [value]))
