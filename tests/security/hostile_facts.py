"""What a stranger's bundle may say of its columns, each with a word of the reason why it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def image(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """Settings of the input column are others."""
    return lambda content: content["columns"][0].update(changes)


def label(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """Settings of the target column are others."""
    return lambda content: content["columns"][1].update(changes)


def without(at: int, name: str) -> Callable[[dict[str, Any]], object]:
    """A column lacks a setting."""
    return lambda content: content["columns"][at].pop(name)


def beside(column: Any) -> Callable[[dict[str, Any]], object]:
    """There is one column more."""
    return lambda content: content["columns"].append(column)


def only(*kept: int) -> Callable[[dict[str, Any]], object]:
    """There are these columns alone."""
    return lambda content: content.update(columns=[content["columns"][i] for i in kept])


def top(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """What stands beside the columns is other."""
    return lambda content: content.update(changes)


def counted(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """Numbers of examples are others."""
    return lambda content: content["counts"].update(changes)


NAMES = [str(i) for i in range(10)]
PICTURE = {"kind": "image", "name": "other", "role": "input", "channels": 1}
WORDS = {"kind": "text", "name": "other", "role": "input"}
NUMBER = {"kind": "number", "name": "other", "role": "target", "mean": 0.0, "deviation": 1.0}
LABEL = {"kind": "label", "name": "other", "role": "target", "classes": NAMES}
GROUP = {"kind": "text", "name": "other", "role": "group"}
HOSTILE_FACTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no classes": (label(classes=[]), "classes"),
    "classes of one name": (label(classes=["a"] * 10), "classes"),
    "one class more": (label(classes=[*NAMES, "10"]), "shape|larger"),
    "one class less": (label(classes=NAMES[1:]), "shape|larger"),
    "classes that are numbers": (label(classes=list(range(10))), "classes of a label"),
    "a class of half a letter": (label(classes=["\ud800", *NAMES[1:]]), "UTF-8"),
    "a class of too long a name": (label(classes=["x" * 10_001, *NAMES[1:]]), "letters"),
    "classes that are a text": (label(classes="0123456789"), "classes of a label"),
    "classes that are nothing": (label(classes=None), "classes of a label"),
    "classes of classes": (label(classes=[[name] for name in NAMES]), "classes of a label"),
    "a billion channels": (image(channels=10**9), "channels"),
    "channels beyond 64 bits": (image(channels=10**30), "channels"),
    "no channels": (image(channels=0), "channels"),
    "fewer than no channels": (image(channels=-1), "channels"),
    "true channels": (image(channels=True), "channels of an? image"),
    "broken channels": (image(channels=1.5), "channels of an? image"),
    "channels in words": (image(channels="3"), "channels of an? image"),
    "other channels": (lambda content: image(channels=4 - content["columns"][0]["channels"])(content), "shape"),
    "half a window": (image(window=[40.0]), "centre and width of each window"),
    "two colours": (image(background=[0, 0]), r"background of .*red, green, blue.*, found \[0, 0\]"),
    "white below black": (image(scale=[9.0, 1.0]), "black below white"),
    "black without white": (image(scale=[9.0]), "black below white"),
    "a type that is none": (image(stored="V1000000000"), "stored of .*expected one of nothing, uint8.*V1000000000"),
    "a type of batches that is none": (image(dtype="float64"), "dtype of .*float64"),
    "a layout that is none": (image(layout="whc"), "layout of .*auto, hwc, chw, found 'whc'"),
    "a band before the first": (image(bands=[-1]), r"bands of .*found \[-1\]"),
    "a band twice": (image(bands=[1, 1]), r"bands of .*found \[1, 1\]"),
    "a window without a width": (image(window=[40.0, 0.0], scale=[0.0, 255.0], scale_by=""), "window of .*40.0, 0.0"),
    "a window and that of the file": (image(window=[40.0, 9.0], window_of_file=True), "window of .*40.0, 9.0"),
    "a window and a scale": (image(window=[40.0, 9.0], scale=[0.0, 9.0]), r"scale of .*found \[0.0, 9.0\]"),
    "a way to scale that is none": (image(scale_by="min"), "scale_by of .*auto, dtype, percentile, found 'min'"),
    "no scale": (image(scale=[], scale_by=""), "scale of .*black and white"),
    "statistics of nobody": (image(statistics="test"), "statistics of .*train, backbone, found 'test'"),
    "a colour beyond bytes": (image(background=[0, 0, 256]), "background of .*256"),
    "a frame before the first": (image(frame=-2), "frame of .*-2"),
    "bands beside one another": (image(band_files="B{1,2}.tif"), "band_files of .*found 'B"),
    "bands elsewhere": (image(band_files="/etc/{image}_{1,2}.tif"), "band_files of .*/etc"),
    "a mean too many": (image(mean=[0.0] * 9), "mean of"),
    "a deviation of nothing": (image(std=[0.0]), "std of .*"),
    "fewer than no examples": (counted(train=-1), "examples"),
    "fewer than no examples of a split of a stranger": (counted(more=-1), "examples"),
    "examples in words": (counted(train="1"), "other fields|examples"),
    "half an example": (counted(train=0.5), "other fields|examples"),
    "counts that are a list": (top(counts=[1, 2]), "other fields|examples"),
    "a text instead of an image": (lambda content: content["columns"].__setitem__(0, WORDS), "kind image"),
    "a number instead of an image": (
        lambda content: content["columns"].__setitem__(0, {**NUMBER, "role": "input"}),
        "reads one column of kind image",
    ),
    "no such kind": (image(kind="../x"), "kinds"),
    "a kind that is a list": (image(kind=["image"]), "kinds"),
    "a kind that is nothing": (image(kind=None), "kinds"),
    "without a kind": (without(0, "kind"), "kinds"),
    "the kind of another": (label(kind="image"), "expected name, role, channels"),
    "a setting more": (image(more=1), "expected name, role, channels"),
    "a setting more of the target": (label(more=1), "expected name, role, classes"),
    "a setting less": (without(0, "channels"), "expected name, role, channels"),
    "a setting less of the target": (without(1, "classes"), "expected name, role, classes"),
    "several labels, said by a number": (
        label(kind="labels", unknown=3),
        "unknown of a labels",
    ),
    "a fact more": (top(more=1), "other fields"),
    "no columns": (top(columns=[]), "among its inputs is none"),
    "columns that are a mapping": (top(columns={}), "other fields|columns"),
    "columns that are texts": (top(columns=["image", "label"]), "other fields|kinds"),
    "columns that are nothing": (top(columns=None), "other fields|columns"),
    "two images": (beside(PICTURE), "reads one column of kind image"),
    "an image and a text": (beside(WORDS), "no part of this backbone reads a column of kind text"),
    "an image and a number": (beside({**NUMBER, "role": "input"}), "has the shape"),
    "no input": (only(1), "among its inputs is none"),
    "no target": (only(0), "target"),
    "two targets": (beside(LABEL), "one target"),
    "a target that is an image": (
        lambda content: content.update(columns=[content["columns"][0], {**PICTURE, "role": "target"}]),
        "target",
    ),
    "a target that is a number of no deviation": (
        lambda content: content["columns"].__setitem__(1, {**NUMBER, "deviation": 0.0}),
        "deviation",
    ),
    "a target that is a number of no mean": (
        lambda content: content["columns"].__setitem__(1, {**NUMBER, "mean": float("nan")}),
        "mean|is not JSON|NaN",
    ),
    "a target that is a number": (lambda content: content["columns"].__setitem__(1, NUMBER), "shape|larger|label"),
    "a role that is no role": (image(role="../x"), "role"),
    "a role of the target that is no role": (label(role="outcome"), "role"),
    "a column more of no role": (beside({**GROUP, "role": "../x"}), "role"),
    "a role that is a number": (image(role=1), "role"),
    "a role that is nothing": (image(role=None), "role"),
    "a target as an input": (label(role="input"), "among its inputs is 'label'"),
    "an input as a target": (image(role="target"), "among its inputs is none"),
    "a name that is a number": (image(name=1), "name of an? image"),
    "a name of half a letter": (image(name="\ud800"), "UTF-8"),
    "a name of too many letters": (image(name="x" * 10_001), "letters"),
    "two columns of one name": (lambda content: label(name=content["columns"][0]["name"])(content), "name"),
    "no sum": (top(sum=""), "sum"),
    "a sum in words": (top(sum="z" * 32), "sum"),
    "an identity that is a number": (top(identity=1), "other fields"),
}
