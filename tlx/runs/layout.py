"""The names of the files in a run folder."""

from __future__ import annotations

import re

from tlx.runs import manifest, plugin_record
from tlx.tracking.loggers import csv, tensorboard

RESULT, PREPARED, CONFIG = "result.json", "result.json.partial", "config.yaml"
STATES = ("state.pt", "state.before.pt")  # the last one to go on from, and the one before it
CHECKPOINT, PREDICTIONS, SCHEDULE = "checkpoint.safetensors", "predictions.jsonl", "schedule.svg"
# what the predictions say of each class
PER_CLASS, CONFUSION, CONFUSION_FIGURE = "per_class.csv", "confusion.csv", "confusion.svg"
SCHEMA = "schema.json"
FROZEN, FROZEN_TENSORS = "frozen.json", "frozen.safetensors"  # of what never trained: its hash, and itself
EVALUATION = "evaluation.json"  # of a finished trial on other data, in a folder of its own
MANIFEST, GROUP, BATCH = manifest.FILE, "together.json", "nan_batch.safetensors"
METRICS, PLUGINS = csv.FILE, plugin_record.FILE
# the settings and the tokenizer of a transformers backbone, as its library calls their files
ARCHITECTURE, ARCHITECTURE_KIND = "architecture", "architecture"
ARCHITECTURE_FILES = frozenset(
    {"config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.json"}
    | {"vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model", "sentencepiece.bpe.model"}
    | {"chat_template.jinja"}
)
# the trial's files
OWN = (
    *(RESULT, PREPARED, CONFIG, *STATES, CHECKPOINT, FROZEN, FROZEN_TENSORS, SCHEMA, PREDICTIONS, SCHEDULE, GROUP),
    *(BATCH, MANIFEST, METRICS, PLUGINS, EVALUATION, PER_CLASS, CONFUSION, CONFUSION_FIGURE),
)
# folders of the trial, each with the names in it, and its mark
FOLDERS = {
    tensorboard.FOLDER: (tensorboard.NAMES, tensorboard.KIND),
    ARCHITECTURE: (
        re.compile(rf"(?:{'|'.join(map(re.escape, sorted(ARCHITECTURE_FILES)))})|\..+\.[0-9a-f]{{8}}\.partial"),
        ARCHITECTURE_KIND,
    ),
}
# what the result of a finished trial names, where it is there
PROMISED = (
    *(CONFIG, CHECKPOINT, FROZEN, FROZEN_TENSORS, SCHEMA, PREDICTIONS, SCHEDULE, MANIFEST, PLUGINS),
    *(PER_CLASS, CONFUSION, CONFUSION_FIGURE),
)
INNER = tuple(f"{ARCHITECTURE}/{name}" for name in sorted(ARCHITECTURE_FILES))
