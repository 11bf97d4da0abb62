"""What is learned of images that train, and said of all, against all of their pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pictures

from tests.columns.strategies import look
from tlx.columns import Image, Label
from tlx.columns.images import planes
from tlx.config.dataset import ImageFolder
from tlx.config.errors import DataError
from tlx.data.source import Source
from tlx.data.validation import check

Array = npt.NDArray[Any]


@settings(max_examples=40)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 2, 3, 4, 6, 10]), st.integers(0, 9))
def test_percentiles_are_those_of_all_pixels_and_channels(rows: int, columns: int, channels: int, seed: int) -> None:
    """Each channel has a range of its own, and values grow from left to right and with every row."""
    rng = np.random.default_rng(seed)
    height, width = 25 * rows, 20 * columns
    down, across = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[None, :, None]
    values = (down + across + np.arange(channels) + rng.random((height, width, channels))).astype(np.float32)
    column = Image("image", channels=channels, dtype="float32", scale_by="percentile", statistics="backbone")
    expected = np.percentile(values, [1, 99])
    assert column.fit([values]).scale == pytest.approx(expected, abs=0.02 * float(np.ptp(values)))


@settings(max_examples=10)
@given(st.integers(70, 330), st.data())
def test_colours_among_grey_images_are_kept_wherever_they_are(count: int, data: st.DataObject) -> None:
    of_colour = data.draw(st.one_of(st.sets(st.integers(0, count - 1), max_size=6), st.just(set(range(1, count, 2)))))
    colour, grey = np.full((4, 5, 3), 7, np.uint8), np.full((4, 5), 7, np.uint8)
    colour[1, 2, data.draw(st.integers(0, 2))] += 1
    values = [colour if i in of_colour else grey for i in range(count)]
    for channels in (0, 1):
        source = Source(
            [Image("image", channels=channels), Label("label")],
            {"image": values, "label": list("ab" * count)[:count]},
            {},
        )
        source = source.encoded()
        splits = {"train": np.arange(count)[: count // 2], "val": np.arange(count)[count // 2 :]}
        check(source, splits, ImageFolder(), f"{count} {sorted(of_colour)}")
        column = source.columns[0].fit(values)
        assert isinstance(column, Image)
        assert column.channels == (3 if of_colour and not channels else 1)
        said = [note for note in column.notes(values, splits, source.seen["image"]) if "are read as grey" in note]
        assert bool(said) == bool(of_colour and channels)
        assert all(f" {len(of_colour)} of {count} " in note for note in said)


@pytest.mark.parametrize("colours", [0, 1, 12])
def test_moments_of_grey_are_of_what_the_network_sees(colours: int) -> None:
    """Grey that is stored as colours, and colours that are read as grey, among images of one channel."""
    rng = np.random.default_rng(0)
    values = [rng.integers(0, 256, (6, 5, 3) if i < colours else (6, 5), dtype=np.uint8) for i in range(12)]
    column = Image("image", channels=1, dtype="uint8").fit(values)
    seen = [planes(column.scaled(one), 1).numpy() / 255 for one in values]
    assert column.mean == pytest.approx((np.mean(seen),))
    assert column.std == pytest.approx((np.std(seen),))


def test_moments_of_no_image_are_refused() -> None:
    with pytest.raises(DataError, match="no image of train has 4 channels"):
        Image("image", channels=4, dtype="uint8").fit([np.zeros((6, 5, 3), np.uint8)])


def test_grey_with_alpha_is_grey(folder: Path) -> None:
    files = [folder / f"{i}.png" for i in range(4)]
    for i, file in enumerate(files):
        Pictures.new("LA" if i % 2 else "L", (5, 4), 7).save(file)
    source = Source([Image("image"), Label("label")], {"image": files, "label": list("abab")}, {}).encoded()
    check(source, {"train": np.arange(4)}, ImageFolder(), "grey")
    assert "1 channels" in source.columns[0].summary


DEEP = {
    "floats in 0..255": (np.float32, 0, 255, (0, 1)),
    "12 bits of 32": (np.int32, 0, 4095, (-(2**31), 2**31 - 1)),
    "16 bits": (np.uint16, 0, 65535, (0, 65535)),
    "bytes": (np.uint8, 0, 255, (0, 255)),
}


@pytest.mark.parametrize("scale", ["dtype", (0.0, 255.0), (-50.0, 20_000.0)])
@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize("name", DEEP)
def test_what_is_cut_off_or_nearly_alike_is_said_under_any_scale(name: str, others: int, scale: Any) -> None:
    kind, low, high, own = DEEP[name]
    images: list[Array] = [np.array([[low, high]] * 2, kind)] * 2 + [np.array([[0, 255]] * 2, np.uint8)] * others
    given_scale: dict[str, Any] = {"scale_by": "dtype"} if scale == "dtype" else {"scale_by": "", "scale": scale}
    column, values, _ = Image("image", **given_scale).encode(images, np.arange(len(images)))
    column, looked = column.fit(values), look()
    assert not column.problems(values, np.arange(len(images)), looked)
    said = "\n".join(column.notes(values, {"train": np.arange(len(images))}, looked.seen))
    ends = [
        (own if scale == "dtype" else scale) if i < 2 else ((0, 255) if scale == "dtype" else scale)
        for i in range(len(images))
    ]
    cut = sum(one.min() < black or one.max() > white for one, (black, white) in zip(images, ends, strict=True))
    assert (f"are cut off in images: {cut} of train" in said) == (cut > 0)
    shown = np.stack([column.scaled(column.read(one)) for one in images])
    assert ("nearly alike" in said) == (float(np.ptp(shown)) < 0.05 * 255)


@pytest.mark.parametrize(
    ("background", "colour", "drawn", "on"), [(0, 0, "dark", "white"), (255, 255, "light", "black")]
)
def test_what_vanishes_on_a_background_is_said_with_another(
    folder: Path, background: int, colour: int, drawn: str, on: str
) -> None:
    files = [folder / f"{i}.png" for i in range(2)]
    for i, file in enumerate(files):  # half of it is there
        pixels = np.full((4, 4, 4), colour, dtype=np.uint8)
        pixels[:2, :, 3] = 0
        pixels[0, 0] = (99 * i, 0, 0, 255)  # of the second one something is seen
        if not i:
            pixels[0, 0] = (colour, colour, colour, 255)
        Pictures.fromarray(pixels).save(file)
    column, values, _ = Image("image", background=(background,) * 3).encode([str(one) for one in files], np.arange(2))
    seen = look()
    assert not column.problems(values, np.arange(2), seen)
    (said,) = [one for one in column.notes(values, {"train": np.arange(2)}, seen.seen) if "throughout" in one]
    assert f"1 of 2 images are of one value throughout; what is {drawn} on transparent is seen on" in said
    assert said.endswith(f"dataset.background={on}")
