"""Which files are read, what is missing where they are not, and files that are broken."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.data import get_testdata_file

from tests.columns.formats.strategies import LIMITS, PLAIN, Array, broken, noise
from tlx.columns import formats
from tlx.columns.formats import FORMATS, NotInstalled, read, suffix_of

ROOT = Path(__file__).parents[3]
SMALL = (
    "MR_small",
    "MR_small_RLE",
    "MR_small_jp2klossless",
    "MR_small_jpeg_ls_lossless",
    "SC_rgb_small_odd_jpeg",
    "rtplan",
)


@pytest.mark.parametrize("suffix", [*FORMATS, *(suffix.upper() for suffix in FORMATS)])
def test_every_suffix_is_known_in_any_case(suffix: str) -> None:
    assert suffix_of(f"a.b{suffix}") == suffix.lower()
    assert suffix_of(suffix) == ""


@pytest.mark.parametrize("suffix", [suffix for suffix in FORMATS if FORMATS[suffix].packages])
def test_a_missing_package_is_named_with_its_extra(folder: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    found = FORMATS[suffix]
    wrong = f"{suffix} files are read by {found.packages[0]}: pip install 'tlx[{found.extra}]'"
    with pytest.raises(NotInstalled, match=re.escape(wrong)):
        read(folder / f"a{suffix}", PLAIN, LIMITS)


def test_all_that_formats_need_is_in_the_extra_that_they_name() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for found in FORMATS.values():
        for package in found.packages:
            assert re.search(rf'^{found.extra} = .*"{package}>=', text, re.MULTILINE)
            assert find_spec(package) is not None


def test_the_page_names_every_suffix() -> None:
    page = (ROOT / "docs" / "reference" / "image_files.md").read_text()
    assert [suffix for suffix in FORMATS if f"`{suffix}`" not in page] == []


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".gif", ".webp", ".tif", ".npy", ".npz"])
def test_a_frame_that_is_not_there_is_refused(folder: Path, suffix: str) -> None:
    path, values = folder / f"a{suffix}", noise("u1", (6, 5, 3))
    if suffix in (".npy", ".npz"):
        {".npy": np.save, ".npz": np.savez}[suffix](path, values)
    else:
        Image.fromarray(values).save(path)
    assert read(path, replace(PLAIN, frame=0), LIMITS).values.shape == (6, 5, 3)
    with pytest.raises(ValueError, match=r"dataset\.frame=3: there is one frame, 0"):
        read(path, replace(PLAIN, frame=3), LIMITS)


def test_a_deep_animation_is_its_first_frame_or_is_refused(folder: Path) -> None:
    first, second = noise("u2", (4, 5, 3), 1), noise("u2", (4, 5, 3), 2)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def packed(values: Array) -> bytes:
        return zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in values))

    def control(number: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 5, 4, 0, 0, 1, 10, 0, 0))

    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 4, 16, 2, 0, 0, 0)), chunk(b"acTL", struct.pack(">II", 2, 0))]
    parts += [control(0), chunk(b"IDAT", packed(first)), control(1)]
    parts += [chunk(b"fdAT", struct.pack(">I", 2) + packed(second)), chunk(b"IEND", b"")]
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    for frame in (None, 0):
        np.testing.assert_array_equal(read(folder / "a.png", replace(PLAIN, frame=frame), LIMITS).values, first)
    with pytest.raises(ValueError, match="the first frame is read alone, not 1"):
        read(folder / "a.png", replace(PLAIN, frame=1), LIMITS)


def _exif(orientation: int) -> bytes:
    made = Image.Exif()
    made[0x0112] = orientation
    return made.tobytes()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0" + broken for broken in (b"junkjunkjunk", b"II*\0", b"II*\0\xff\xff\0\0", b"")]
    + [_exif(orientation) for orientation in (0, 99, 1, 6, 8)],
)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_exif_that_cannot_be_understood_leaves_a_picture_as_it_is(folder: Path, suffix: str, exif: bytes) -> None:
    path = folder / f"a{suffix}"
    lossless: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    Image.fromarray(noise("u1", (6, 5, 3))).save(path, exif=exif, **lossless)
    with Image.open(path) as picture:
        shown = np.asarray(picture)
    turns = {_exif(6): 3, _exif(8): 1}.get(exif, 0)  # quarters, counterclockwise
    np.testing.assert_array_equal(read(path, PLAIN, LIMITS).values, np.rot90(shown, turns))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    """Some sound files of each suffix."""
    folder = tmp_path_factory.mktemp("whole")
    values = noise("u1", (20, 18, 5))
    packings: list[dict[str, Any]] = [{}, {"compression": "lzw", "tile": (16, 16)}]
    packings += [{"compression": "deflate", "predictor": 2}]
    for k, how in enumerate(packings):
        tifffile.imwrite(folder / f"{k}.tif", values, photometric="minisblack", planarconfig="contig", **how)
    Image.fromarray(values[:, :, :3]).save(folder / "3.tif", compression="tiff_lzw")
    np.save(folder / "0.npy", values)
    np.savez(folder / "0.npz", values)
    np.savez_compressed(folder / "1.npz", image=values, mask=values)
    volume = nibabel.Nifti1Image(values.astype(np.int16), np.eye(4))
    for name in ("0.nii", "0.nii.gz"):
        nibabel.save(volume, folder / name)
    found: dict[str, list[bytes]] = {}
    for path in sorted(folder.iterdir()):
        found.setdefault(suffix_of(path.name), []).append(path.read_bytes())
    found[".dcm"] = [Path(str(get_testdata_file(f"{name}.dcm", download=False))).read_bytes() for name in SMALL]
    return found


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".npz", ".nii", ".nii.gz", ".dcm"])
@given(data=st.data())
@settings(max_examples=60)
@pytest.mark.filterwarnings("ignore")
def test_a_broken_file_gives_an_image_or_an_error(
    folder: Path, whole: dict[str, list[bytes]], suffix: str, data: st.DataObject
) -> None:
    path = folder / f"a{suffix}"
    path.write_bytes(broken(data, data.draw(st.sampled_from(whole[suffix]))))
    try:
        found = read(path, PLAIN, LIMITS)
    except MemoryError:
        raise
    except Exception:  # whatever a decoder raises
        return
    assert found.values.ndim in (2, 3)
    assert found.values.size <= 1 << 20


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_empty_file_is_no_image(folder: Path, suffix: str) -> None:
    (folder / f"a{suffix}").write_bytes(b"")
    with pytest.raises(Exception, match=r"."):
        read(folder / f"a{suffix}", PLAIN, LIMITS)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_folder_or_a_pipe_is_never_waited_for(folder: Path, suffix: str) -> None:
    (folder / f"a{suffix}").mkdir()
    with pytest.raises(OSError, match="expected a regular file, found a folder"):
        read(folder / f"a{suffix}", PLAIN, LIMITS)
