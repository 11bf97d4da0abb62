"""Data sets whose images are of one file per band: the same data as one file of all bands, down to what is trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tlx
from tests.data.conftest import inputs, load, words
from tlx.cli import evaluate
from tlx.config.dataset import ImageFolder, Table
from tlx.config.dataset_parts import Column
from tlx.config.errors import ConfigError, DataError, RequestError
from tlx.data.fingerprint import fingerprint
from tlx.data.module import Data
from tlx.data.source import Source
from tlx.prediction import sources as predict_sources
from tlx.runs import layout
from tlx.serving import bundle
from tlx.training.network import trained

LAYOUTS = {
    "beside": "{image}_B{02,03,04,08}.npy",
    "folders": "{image}/{B02,B03,B04,B08}.npy",
    "named": "{image}/{image}_B{02,03,04,08}.npy",
    "apart": "{B02,B03,B04,B08}/{image}.npy",
}
BANDS = ("02", "03", "04", "08")


def tiles(count: int = 12) -> dict[str, Any]:
    """Arrays [8, 8, 4] of two classes, by name."""
    rng = np.random.default_rng(0)
    return {
        f"{name}/{i}": rng.integers(0, 2000 + 900 * n, (8, 8, 4)).astype("uint16")
        for n, name in enumerate(("field", "lake"))
        for i in range(count)
    }


def write(root: Path, pattern: str = "", count: int = 12, leave: Sequence[str] = ()) -> Path:
    """The tiles as files of one band each, or of all four; without those whose name ends so."""
    from tlx.config import band_files

    for name, values in tiles(count).items():
        files = band_files.parsed(pattern).of(root / name) if pattern else [root / f"{name}.npy"]
        for file, part in zip(files, np.moveaxis(values, 2, 0) if pattern else [values], strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            if not str(file).endswith(tuple(leave) or ("\0",)):
                np.save(file, part)
    return root


def pixels(source: Source) -> list[Any]:
    """The decoded images."""
    (column,) = (one for one in source.columns if one.role == "input")
    return [column.read(value) for value in inputs(source)]


@pytest.mark.parametrize(("place", "pattern"), LAYOUTS.items())
def test_a_folder_of_bands_is_the_folder_of_their_images(folder: Path, place: str, pattern: str) -> None:
    source = load(ImageFolder(root=str(write(folder / place, pattern)), band_files=pattern))
    assert [Path(value).relative_to(folder / place).as_posix() for value in inputs(source)] == sorted(tiles())
    assert words(source) == ["field"] * 12 + ["lake"] * 12
    np.testing.assert_array_equal(pixels(source), [tiles()[name] for name in sorted(tiles())])
    assert source.notes == []


def test_nested_classes_are_not_made_of_the_folders_of_images(folder: Path) -> None:
    write(folder / "wet", LAYOUTS["folders"], count=2)
    write(folder / "dry", LAYOUTS["folders"], count=2)
    config = ImageFolder(root=str(folder), band_files=LAYOUTS["folders"], nested=True)
    assert set(words(load(config))) == {"dry/field", "dry/lake", "wet/field", "wet/lake"}


def test_files_that_are_no_band_are_counted(folder: Path) -> None:
    write(folder, LAYOUTS["beside"])
    np.save(folder / "lake" / "0_B12.npy", np.zeros((3, 3)))
    (note,) = load(ImageFolder(root=str(folder), band_files=LAYOUTS["beside"])).notes
    assert "1 files are of no band of {image}_B{02,03,04,08}.npy, first 0_B12.npy" in note


def test_the_identity_is_of_every_file_and_of_nothing_else(folder: Path) -> None:
    config = ImageFolder(root=str(write(folder, LAYOUTS["beside"])), band_files=LAYOUTS["beside"])
    seen = {fingerprint(config)}
    np.save(folder / "lake" / "0_B12.npy", np.zeros((8, 8)))
    assert {fingerprint(config)} == seen
    for band in BANDS:
        np.save(folder / "lake" / f"3_B{band}.npy", np.ones((8, 8), "uint16"))
        seen.add(fingerprint(config))
    (folder / "lake" / "3_B08.npy").unlink()
    seen.add(fingerprint(config))
    assert len(seen) == 6


def test_equal_images_are_found_by_all_of_their_files(folder: Path) -> None:
    write(folder, LAYOUTS["beside"])
    for band in BANDS:
        np.save(folder / "lake" / f"3_B{band}.npy", np.load(folder / "lake" / f"4_B{band}.npy"))
    np.save(folder / "lake" / "5_B02.npy", np.load(folder / "lake" / "6_B02.npy"))  # one band alone
    source = load(ImageFolder(root=str(folder), band_files=LAYOUTS["beside"]))
    found = dict(zip(sorted(tiles()), source.contents["image"](), strict=True))
    assert len(set(found.values())) == len(found) - 1
    assert found["lake/3"] == found["lake/4"]


def test_a_table_names_images_by_what_their_files_are_called_after(folder: Path) -> None:
    write(folder / "maps", LAYOUTS["named"])
    (folder / "maps.csv").write_text(
        "\n".join(["tile,kind", *(f"maps/{name},{name.partition('/')[0]}" for name in tiles())]), encoding="utf-8"
    )
    short = Table(
        modality="image", file=str(folder / "maps.csv"), input="tile", label="kind", band_files=LAYOUTS["named"]
    )
    columns = {"tile": Column(type="image", band_files=LAYOUTS["named"]), "kind": Column(type="label")}
    long = Table(modality="image", file=str(folder / "maps.csv"), columns=columns)
    for config in (short, long):
        np.testing.assert_array_equal(pixels(load(config)), list(tiles().values()))
    assert fingerprint(short) == fingerprint(long)
    before = fingerprint(short)
    np.save(folder / "maps" / "lake" / "3" / "3_B03.npy", np.zeros((8, 8), "uint16"))
    assert fingerprint(short) != before


def test_images_of_one_column_of_the_file_are_all_of_the_identity(folder: Path) -> None:
    """Each with a pattern of its own."""
    write(folder, LAYOUTS["beside"])
    (folder / "maps.csv").write_text("\n".join(["tile,kind", *(f"{name},{name[0]}" for name in tiles())]))
    patterns = {"red": "{image}_B{02,03}.npy", "near": "{image}_B{04,08}.npy"}
    columns = {name: Column(type="image", column="tile", band_files=one) for name, one in patterns.items()}
    config = Table(file=str(folder / "maps.csv"), columns={**columns, "kind": Column(type="label")})
    seen = {fingerprint(config)}
    for band in BANDS:
        np.save(folder / "lake" / f"3_B{band}.npy", np.ones((8, 8), "uint16"))
        seen.add(fingerprint(config))
    assert len(seen) == 1 + len(BANDS)


def test_a_missing_band_is_named_or_its_image_left_out(folder: Path) -> None:
    write(folder, LAYOUTS["beside"], leave=("lake/3_B04.npy",))
    config = ImageFolder(root=str(folder), band_files=LAYOUTS["beside"], name="tiles")
    with pytest.raises(DataError, match=r"lake/3  .*there is no .*3_B04\.npy"):
        Data(config, seed=0, batch_size=8)
    found = Data(replace(config, on_bad="skip"), seed=0, batch_size=8)
    assert sum(map(len, found.splits.values())) == len(tiles()) - 1


def test_the_same_data_in_one_file_train_the_same_bits(folder: Path) -> None:
    runs = []
    for place, pattern in (("whole", ""), ("bands", LAYOUTS["apart"])):
        root = write(folder / place, pattern)
        words = ["backbone=pixels", "strategy=feature_extraction", "strategy.budget=4 steps", "tracking=none"]
        given = {"dataset.root": str(root), "dataset.band_files": pattern or None, "output": str(folder / "runs")}
        trial = tlx.compose([*words, "dataset=imagefolder", "strategy.batch_size=8", "hardware.threads=1"], given)
        runs.append(Path(tlx.train(trial).folder))
    first, second = ([{**json.loads(line), "example": ""} for line in _lines(run)] for run in runs)
    assert first == second
    one, other = (load_file(run / layout.CHECKPOINT) for run in runs)
    assert one.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    model = tlx.load(runs[1])  # a path that stands for the files, a file of all bands, and an array
    image, values = "lake/7", tiles()["lake/7"]
    forms = [folder / "bands" / image, folder / "whole" / f"{image}.npy", values]
    answers = [model.predict(form) for form in forms]
    assert answers[0] == answers[1] == answers[2] == tlx.load(runs[0]).predict(folder / "whole" / f"{image}.npy")
    with pytest.raises(RequestError, match=r"input  is one of the 4 files of an image; name the image: .*bands/lake/7"):
        model.predict(folder / "bands" / "lake" / "B03" / "7.npy")
    bundle.write(trained(runs[1]), runs[1], folder / "bundle")
    assert bundle.read(folder / "bundle").predict([forms[0], values]) == answers[:2]
    with pytest.raises(RequestError, match=r"there is no .*B02/99\.npy"):
        model.predict(folder / "bands" / "lake" / "99")
    found = predict_sources.inputs_of([str(folder / "bands")], model.trial, model.inputs, model.limits)
    assert [name for name, _ in found.examples] == [str(folder / "bands" / name) for name in sorted(tiles())]
    found = predict_sources.inputs_of([str(folder / "bands" / image)], model.trial, model.inputs, model.limits)
    assert [model.predict(value) for _, value in found.examples] == answers[:1]
    (folder / "bands" / "lake" / "B03" / "7.npy").unlink()
    found = predict_sources.inputs_of([str(folder / "bands" / image)], model.trial, model.inputs, model.limits)
    with pytest.raises(RequestError, match=r"there is no .*B03/7\.npy"):
        model.predict([value for _, value in found.examples])


def test_a_model_is_measured_on_images_of_other_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many files an image has is said by the data, not by the model."""
    words = ["backbone=pixels", "strategy=logistic", "tracking=none", f"output={folder / 'runs'}"]
    given = {"dataset.root": str(write(folder / "whole"))}
    run = tlx.train(tlx.compose([*words, "dataset=imagefolder"], given)).folder
    write(folder / "bands", LAYOUTS["folders"])
    capsys.readouterr()
    found = []
    for root, more in (("whole", []), ("bands", [f'dataset.band_files="{LAYOUTS["folders"]}"'])):
        asked = [str(run), "dataset=imagefolder", f"dataset.root={folder / root}", *more, "--split", "all", "--json"]
        assert evaluate.run(asked) == 0
        found.append(json.loads(capsys.readouterr().out)["metrics"])
    assert found[0] == found[1]


def _lines(run: Path) -> list[str]:
    return (run / layout.PREDICTIONS).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dataset=csv", "dataset.file=a.csv"], "of images alone"),
        (["dataset=imagefolder", "dataset.root=."], "expected one list of bands"),
    ],
)
def test_what_makes_no_sense_is_refused(folder: Path, words: list[str], message: str) -> None:
    (folder / "a.csv").write_text("text,label\na,b\n", encoding="utf-8")
    backbone = "narrow_bert" if "dataset=csv" in words else "pixels"
    with pytest.raises(ConfigError, match=message):
        tlx.compose([f"backbone={backbone}", "strategy=logistic", *words], {"dataset.band_files": "{image}.tif"})
