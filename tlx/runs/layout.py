"""The names of the files in a run folder."""

from __future__ import annotations

from tlx.runs import manifest
from tlx.tracking.loggers import csv, tensorboard

RESULT, PREPARED, CONFIG = "result.json", "result.json.partial", "config.yaml"
STATES = ("state.pt", "state.before.pt")  # the last one to go on from, and the one before it
CHECKPOINT, PREDICTIONS, SCHEDULE = "checkpoint.safetensors", "predictions.jsonl", "schedule.svg"
SCHEMA = "schema.json"
EVALUATION = "evaluation.json"  # of a finished trial on other data, in a folder of its own
MANIFEST, GROUP, BATCH = manifest.FILE, "together.json", "nan_batch.safetensors"
METRICS = csv.FILE
# the trial's files
OWN = (
    RESULT,
    PREPARED,
    CONFIG,
    *STATES,
    CHECKPOINT,
    SCHEMA,
    PREDICTIONS,
    SCHEDULE,
    GROUP,
    BATCH,
    MANIFEST,
    METRICS,
    EVALUATION,
)
FOLDERS = {
    tensorboard.FOLDER: (tensorboard.NAMES, tensorboard.KIND)
}  # of the trial, each with the names in it, and its mark
