"""Patterns for the files of an image: what they name, what is found again by them, and which make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlx.config import band_files

PATTERNS = {
    "{image}_B{02,03,8A}.tif": ["s/x_B02.tif", "s/x_B03.tif", "s/x_B8A.tif"],
    "{image}/{B02,B03}.tif": ["s/x/B02.tif", "s/x/B03.tif"],
    "{image}/{image}_{r, g}.jp2": ["s/x/x_r.jp2", "s/x/x_g.jp2"],
    "{red,near infrared}/{image}.png": ["s/red/x.png", "s/near infrared/x.png"],
    "{image}{.tif,_nir.tif}": ["s/x.tif", "s/x_nir.tif"],
}


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS.items())
def test_a_pattern_names_files_in_their_order(pattern: str, expected: list[str]) -> None:
    assert list(band_files.issues(pattern, "key")) == []
    found = band_files.parsed(pattern)
    assert found.of("s/x") == found.of("s/x/") == [Path(name) for name in expected]
    assert [found.image_of(name) for name in expected] == ["s/x"] * len(expected)


@given(
    st.sampled_from(sorted(PATTERNS)),
    st.lists(st.text("abB02_.(*é ", min_size=1, max_size=6).map(lambda word: f"i{word}i"), min_size=1, max_size=3),
)
def test_an_image_is_found_again_by_each_of_its_files(pattern: str, parts: list[str]) -> None:
    found, image = band_files.parsed(pattern), "/".join(parts)
    assert [found.image_of(file.as_posix()) for file in found.of(image)] == [image] * len(found.names)


@pytest.mark.parametrize("file", ["x_B04.tif", "x_B02.tiff", "_B02.tif", "x_B02_tif", "x_B02.tif/y", "x_b02.tif"])
def test_other_files_are_of_no_image(file: str) -> None:
    assert band_files.parsed("{image}_B{02,03}.tif").image_of(file) is None


def test_a_folder_of_another_name_is_no_image() -> None:
    assert band_files.parsed("{image}/{image}_B{02,03}.tif").image_of("x/y_B02.tif") is None


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("*_B02.tif", "expected {image} where"),
        ("{image}.tif", "one list of bands"),
        ("{image}_{a,b}_{c,d}.tif", "one list of bands"),
        ("{image}_{a,b.tif", "one list of bands"),
        ("{image}_B{02,03,02}.tif", "twice"),
        ("../{image}_B{02,03}.tif", "beside the image"),
        ("/{image}_B{02,03}.tif", "beside the image"),
        ("{image}/{,B03}", "beside the image"),
    ],
)
def test_a_pattern_that_names_no_files_is_refused(pattern: str, message: str) -> None:
    (problem,) = band_files.issues(pattern, "dataset.band_files")
    assert (problem.key, problem.value) == ("dataset.band_files", pattern)
    assert message in problem.message
