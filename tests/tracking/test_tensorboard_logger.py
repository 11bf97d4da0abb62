"""TensorBoard's own reader finds every row of the event log in the event files, once."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tracking.rows import VALUES, begin, opened, write
from tlx.config import loggers
from tlx.files import marks
from tlx.tracking import event_log
from tlx.tracking.loggers.tensorboard import FOLDER, KIND, TensorBoardLogger

pytest.importorskip("tensorboardX", reason="needs pip install 'tlx[tensorboard]'")
accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard reads what is written"
)


def logger() -> TensorBoardLogger:
    return TensorBoardLogger(loggers.TensorBoard())


def read(place: Path) -> Any:
    found = accumulator.EventAccumulator(str(place / FOLDER), size_guidance={accumulator.SCALARS: 0})
    found.Reload()
    return found


def same_as_log(place: Path) -> None:
    found, expected = read(place), dict[str, list[tuple[int, float, float]]]()
    for row in event_log.metrics(place):
        for name, value in {**row["values"], "epoch": row["epoch"]}.items():
            if value is not None:
                expected.setdefault(name, []).append((row["step"], row["time"] / 1000, value))
    assert set(found.Tags()["scalars"]) == set(expected)
    for name, points in expected.items():
        mine = [(one.step, one.wall_time, one.value) for one in found.Scalars(name)]
        assert [one[:2] for one in mine] == [one[:2] for one in points]
        assert [one[2] for one in mine] == pytest.approx([one[2] for one in points], rel=1e-6, nan_ok=True)


def test_it_has_scalars_and_settings(folder: Path) -> None:
    place = folder / "a"
    events = opened(place, tensorboard=logger())
    begin(events)
    write(events, VALUES)
    events.sync()
    same_as_log(place)
    events.write("end", status="FINISHED", reason="")
    same_as_log(place)
    found = read(place)
    (text,) = found.Tensors("settings/text_summary")
    assert b"| strategy.lr | 0.1 |" in text.tensor_proto.string_val[0]
    assert b"| tlx.identity | 0123456789abcdef |" in text.tensor_proto.string_val[0]
    told = found.PluginTagToContent("hparams")
    assert set(told) == {f"_hparams_/{name}" for name in ("experiment", "session_start_info", "session_end_info")}
    from tensorboard.plugins.hparams import plugin_data_pb2

    start = plugin_data_pb2.HParamsPluginData.FromString(told["_hparams_/session_start_info"]).session_start_info
    assert start.hparams["strategy.lr"].string_value == "0.1"
    experiment = plugin_data_pb2.HParamsPluginData.FromString(told["_hparams_/experiment"]).experiment
    assert [one.name.tag for one in experiment.metric_infos] == ["val/acc", "test/acc"]


def test_a_trial_that_goes_on_has_no_row_twice(folder: Path) -> None:
    place = folder / "a"
    events = opened(place, tensorboard=logger())
    begin(events)
    write(events, VALUES[:3])  # and the process is killed
    events = opened(place, tensorboard=logger())
    events.write("resume", step=2)
    write(events, VALUES[3:])
    events.write("end", status="FINISHED", reason="")
    same_as_log(place)
    assert len(list((place / FOLDER).glob("events.*"))) == 1


def test_a_folder_of_somebody_elses_is_left_alone(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = folder / "a"
    (place / FOLDER).mkdir(parents=True)
    (place / FOLDER / "events.out.tfevents.1.other").write_text("mine")
    events = opened(place, tensorboard=logger())
    with caplog.at_level(logging.WARNING, "tlx.tracking"):
        begin(events)
        write(events, VALUES)
    assert [path.name for path in (place / FOLDER).iterdir()] == ["events.out.tfevents.1.other"]
    assert (place / FOLDER / "events.out.tfevents.1.other").read_text() == "mine"
    assert ["holds what tlx did not make" in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk is always full here")
def test_a_full_disk_ends_it_and_nothing_waits(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = folder / "a"
    events = opened(place, tensorboard=(mine := logger()))
    begin(events)
    with open("/dev/full", "wb") as full:
        os.dup2(full.fileno(), mine._writer._py_recordio_writer._writer.fileno())
    with caplog.at_level(logging.WARNING, "tlx.tracking"):
        write(events, VALUES)
        events.sync()
        write(events, VALUES)
        events.write("end", status="FINISHED", reason="")
    (record,) = caplog.records
    assert "No space left" in record.getMessage()


def test_it_is_a_marked_folder(folder: Path) -> None:
    begin(opened(folder / "a", tensorboard=logger()))
    assert marks.is_marked(folder / "a" / FOLDER, KIND)


def test_nothing_of_it_is_imported_before_a_trial_begins() -> None:
    code = "import tlx, tlx.tracking.loggers.tensorboard, tlx.tracking.loggers.wandb, sys\n"
    code += "tlx.compose(['backbone=pixels', 'dataset=digits', 'loggers.tensorboard={}'])\n"
    code += "print({'torch', 'tensorboardX', 'wandb', 'google.protobuf'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
