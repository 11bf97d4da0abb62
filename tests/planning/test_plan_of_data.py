"""A plan looks at data as training does: the same examples, the same columns, the same words, the same refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tlx
from tlx.columns import Image as Column
from tlx.columns.input_spec import ImageSpec
from tlx.config.errors import DataError
from tlx.config.schema import Trial
from tlx.planning.trial_plan import plan_trial
from tlx.tasks.network import specs
from tlx.training.build import build


def trial(*words: str) -> Trial:
    """Of pixels, on the folder of images."""
    usual = ["backbone=pixels", "strategy=feature_extraction", "dataset=imagefolder", "dataset.root=images"]
    return tlx.compose([*usual, "tracking=none", "strategy.budget=2 steps", "strategy.batch_size=4", *words])


def arrays(channels: int = 0, kind: str = "uint16", most: int = 900) -> None:
    """Some arrays of two classes."""
    rng = np.random.default_rng(0)
    for i in range(24):
        place = Path("images", "ab"[i % 2])
        place.mkdir(parents=True, exist_ok=True)
        np.save(place / f"{i}.npy", rng.integers(most, size=(8, 8, *([channels] if channels else []))).astype(kind))


def test_a_broken_file_is_named_or_left_out(folder: Path) -> None:
    arrays(kind="uint8", most=256)
    Path("images/a/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    for scale in ("auto", "percentile"):
        with pytest.raises(DataError, match=r"broken\.png"):
            plan_trial(trial(f"dataset.scale={scale}"))
        found = plan_trial(trial(f"dataset.scale={scale}", "dataset.on_bad=skip"))
        assert sum(found.schema.counts.values()) == 24
        assert any("broken.png" in note for note in found.notes)
        assert "nan" not in " ".join(found.inputs)


def test_a_plan_says_of_the_data_what_training_says(folder: Path) -> None:
    arrays()
    asked = trial("dataset.scale=[0,500]")
    found, built = plan_trial(asked), build(asked)
    assert any("are cut off" in note for note in found.notes)
    assert found.notes == built.data.source.notes
    assert found.schema == built.data.schema


@pytest.mark.parametrize(("channels", "kind"), [(6, "uint8"), (0, "uint16"), (3, "float32")])
def test_steps_of_colours_are_refused_by_a_plan(folder: Path, channels: int, kind: str) -> None:
    arrays(channels, kind, 200)
    with pytest.raises(DataError, match="of bytes in grey or colours"):
        plan_trial(trial("dataset.augment=standard"))
    plan_trial(trial("dataset.augment=light"))


def test_what_is_left_out_for_its_size_decides_nothing(folder: Path) -> None:
    arrays(channels=6)
    expected = plan_trial(trial())
    np.save("images/a/long.npy", np.full((8, 4000, 6), 60_000, np.uint16))
    words = ["dataset.on_bad=skip", "dataset.limits.resized_pixels=1000"]
    for seed in range(3):
        asked = trial(*words, f"dataset.split_seed={seed}")
        found, built = plan_trial(asked), build(asked)
        for column in (found.schema.inputs["image"], built.data.schema.inputs["image"]):
            assert isinstance(column, Column)
            assert list(column.scale) == [0, 1023]
            spec = specs(built.module.model)["image"]
            assert isinstance(spec, ImageSpec)
            assert spec.mean == pytest.approx(column.mean)
        assert found.inputs[0].split("seen as")[0] == expected.inputs[0].split("seen as")[0]
        assert found.notes == built.data.source.notes
        assert found.schema == built.data.schema
        assert not any("60000" in note for note in found.notes)


@pytest.mark.parametrize(("channels", "said"), [(6, True), (3, False), (0, False)])
def test_statistics_of_one_channel_that_give_way_are_said(folder: Path, channels: int, said: bool) -> None:
    arrays(channels, "uint8", 256)
    found = plan_trial(trial("backbone.input.mean=[0.4]", "backbone.input.std=[0.2]"))
    assert [name in " ".join(found.inputs) for name in ("input.mean=[0.4]", "input.std=[0.2]")] == [said, said]


def test_grey_files_and_one_of_colours(folder: Path) -> None:
    for i in range(150):
        place = Path("images", "ab"[i % 2])
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB" if i == 77 else "L", (4, 4), i).save(place / f"{i:03}.png")
    found = plan_trial(trial("backbone.input.size=4"))
    assert found.parameters == 3 * 16 * 2 + 2


@pytest.mark.parametrize("kind", ["label", "number"])
def test_what_validation_is_of_is_looked_at_for_any_task(folder: Path, kind: str) -> None:
    """Its constants are of train, although networks of a plan hold nothing."""
    Path("a.csv").write_text("x,label\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    words = [
        "backbone=columns",
        "strategy=feature_extraction",
        "dataset=tabular",
        "dataset.file=a.csv",
        "tracking=none",
    ]
    found = plan_trial(tlx.compose([*words, f"dataset.label_type={kind}"]))
    assert sum(found.schema.counts.values()) == 40
