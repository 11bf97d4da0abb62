"""``tlx reproduce`` and ``tlx diff``: verdicts that are right, and causes that are named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from PIL import Image

from tests.conftest import Said
from tests.provenance.tampering import promise, reseal
from tlx.provenance import reproduce
from tlx.runs import layout

WORDS = ["backbone=narrow_resnet", "strategy=fine_tune", "strategy.init=scratch", "dataset=digits", "dataset.shots=4"]
WORDS += ["strategy.batch_size=16", "strategy.budget=9 steps", "strategy.validate_every=3 steps", "hardware.threads=1"]


def trained(said: Said, root: Path, *words: str) -> Path:
    said("train", *WORDS, *words)
    (found,) = (path.parent for path in root.glob("runs/*/result.json"))
    return found


@pytest.mark.slow
def test_the_same_again_is_bitwise_and_linked(folder: Path, said: Said) -> None:
    old = trained(said, folder)
    before = {path: path.read_bytes() for path in old.iterdir()}
    run = json.loads((old / "mlflow.json").read_text())["run_id"]
    for word in (str(old), run):
        out = said("reproduce", word)
        assert "verdict: bitwise" in out
        assert "differs" not in out
    assert {path: path.read_bytes() for path in old.iterdir()} == before
    new = folder / "runs" / "reproduced" / f"{old.name}-2"
    assert (new / "result.json").is_file()
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    tags = client.get_run(json.loads((new / "mlflow.json").read_text())["run_id"]).data.tags
    assert (tags["tlx.kind"], tags["tlx.reproduces"]) == ("reproduce", old.name)


@pytest.mark.slow
def test_a_changed_setting_is_named(folder: Path, said: Said) -> None:
    old = trained(said, folder)
    out = said("reproduce", str(old), "seed=1", code=1)
    assert "verdict: different" in out
    assert "the event logs part at step 3: train/loss" in out
    assert "first thing that differs: config: seed  0 -> 1" in out
    assert "verdict: bitwise: every metric up to step 3" in said("reproduce", str(old), "--steps", "3")
    assert "; settings were changed: seed 0 -> 1" in out


@pytest.mark.slow
def test_changed_data_are_named(folder: Path, said: Said) -> None:
    for split, count in (("train", 8), ("val", 4), ("test", 4)):
        for kind in ("dark", "light"):
            place = folder / "pictures" / split / kind
            place.mkdir(parents=True)
            for i in range(count):
                Image.new("L", (32, 32), (40 if kind == "dark" else 180) + 5 * i).save(place / f"{i}.png")
    words = ["dataset=imagefolder", "dataset.root=pictures", "dataset.name=pictures", "dataset.shots=null"]
    old = trained(said, folder, *words, "strategy.batch_size=8")
    shutil.copy(folder / "pictures/train/light/0.png", folder / "pictures/train/dark/0.png")
    out = said("reproduce", str(old), code=1)
    assert "verdict: different" in out
    assert "first thing that differs: data: data" in out


@pytest.mark.slow
def test_another_library_is_named(folder: Path, said: Said) -> None:
    old = trained(said, folder)
    reseal(old / layout.MANIFEST, lambda sheet: sheet["packages"].update(timm="0.9.0"))
    promise(old)
    out = said("reproduce", str(old))
    assert "differs packages: timm  0.9.0 -> " in out
    assert "verdict: bitwise" in out
    (old / layout.MANIFEST).unlink()
    promise(old)
    out = said("reproduce", str(old), "--steps", "3", code=1)
    assert "unknown packages" in out
    assert "verdict: altered: repro.json is gone; against what is there it is bitwise" in out


@pytest.mark.slow
def test_heads_side_by_side_come_out_equal(folder: Path, said: Said) -> None:
    heads = ["strategy=feature_extraction", "strategy.lr=0.01,0.02", "reuse=always"]
    said("sweep", *WORDS, *heads, "tracking=none")
    out = said("reproduce", "sweep")
    assert out.count("it was trained side by side") == 2
    assert out.count("verdict: equal") + out.count("verdict: bitwise") == 2


@pytest.mark.slow
def test_diff_shows_what_two_runs_differ_in(folder: Path, said: Said) -> None:
    said("sweep", *WORDS, "seed=0,1", "tracking=none")
    one, other = sorted(path.parent for path in folder.glob("runs/*/result.json"))
    out = said("diff", str(one), str(other))
    assert "differs config: seed  0 -> 1" in out
    assert "test/acc" in out
    assert "the event logs are the same to the last bit" in said("diff", str(one), str(one))


def test_what_is_kept_is_not_read_unless_it_is_asked_for(finished: tuple[Path, Path]) -> None:
    assert reproduce.recorded(finished[0]).reuse.when == "off"
    assert reproduce.recorded(finished[0], with_cache=True).reuse.when == "auto"
    assert reproduce.recorded(finished[0], ["reuse.when=always"]).reuse.when == "always"


def test_diff_refuses_a_record_that_is_not_sealed(folder: Path, said: Said, finished: tuple[Path, Path]) -> None:
    shutil.copytree(finished[0], folder / "run")
    sheet = folder / "run" / layout.MANIFEST
    sheet.write_text(sheet.read_text().replace('"timm"', '"tinn"'))
    for words in ((folder / "run", finished[1]), (finished[1], folder / "run")):
        assert "has no valid checksum: it was altered" in said("diff", *map(str, words), code=2)


def test_what_is_no_run_is_refused(folder: Path, said: Said) -> None:
    for words in (
        ["reproduce"],
        ["reproduce", "nothing"],
        ["reproduce", "0" * 32],
        ["diff", "one"],
        ["diff", "a", "b"],
    ):
        assert "run" in said(*words, code=2)
    assert "--steps" in said("reproduce", "x", "--steps", "0", code=2)
