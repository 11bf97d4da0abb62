"""The settings and the tokenizer of a transformers model in a folder: files of known names that lead nowhere else.

Every run folder of such a backbone has one, and so has every bundle.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tlx.backbones.backbone import Backbone as Built
from tlx.columns.input_spec import TextSpec
from tlx.config.backbone import Backbone, TransformersBackbone
from tlx.config.errors import ConfigIssue, WeightsError
from tlx.files import durable, foreign, marks
from tlx.files.printable import printable
from tlx.runs import layout

FOLDER, KIND = layout.ARCHITECTURE, layout.ARCHITECTURE_KIND
SETTINGS = "config.json"
_JSON = (SETTINGS, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_LEADING = re.compile("file|path|cache|auto_map|class_ref|custom|pretrained|backbone|timm|quantization", re.IGNORECASE)


def keep(folder: Path, options: Backbone, built: Built) -> None:
    """Put what a transformers backbone is built from into a folder; other backbones need nothing."""
    network = getattr(built.module, "encoder", None)
    tokenizer = next((one.tokenizer for one in built.takes.values() if isinstance(one, TextSpec)), None)
    if isinstance(options, TransformersBackbone) and network is not None:
        write(folder / FOLDER, network.config, tokenizer)


def write(folder: Path, settings: Any, tokenizer: Any) -> None:
    """Keep a model's settings and its tokenizer in a folder of their own, without the places they came from.

    Raises:
        marks.NotOurs: The folder holds what tlx did not make.
        OSError: The disk refuses.
    """
    marks.claim(folder, KIND)
    with tempfile.TemporaryDirectory() as place:
        tokenizer.save_pretrained(place)
        settings.save_pretrained(place)
        for file in sorted(Path(place).iterdir()):
            content = foreign.read(file)
            if file.name in _JSON:
                found = {name: value for name, value in json.loads(content).items() if not _leads(name, value)}
                content = (json.dumps(found, indent=1, sort_keys=True) + "\n").encode()
            durable.write(folder / file.name, content)


def check(folder: Path) -> None:
    """See that a folder holds a text model's settings and tokenizer and nothing else; raises :class:`WeightsError`.

    Transformers reads files that settings name, wherever they are, runs code that they name, once it asked on the
    terminal, and fetches networks within networks; so settings that name anything are refused.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise _refuse(FOLDER, "is not a folder")
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        if name not in layout.ARCHITECTURE_FILES and name != marks.MARK:
            raise _refuse(f"{FOLDER}/{printable(name)}", "is not a file that tlx writes there; remove it")
    for name in names:
        try:
            content = foreign.read(folder / name)
            if name.endswith(".json"):
                found = foreign.json_value(content)
                leading = next(_leads_within(found), None) if name in _JSON else None
                if leading is not None:
                    raise foreign.Unreadable(f"names something outside of it: {printable(leading)}")
                if name == SETTINGS:
                    check_architecture(found.get("model_type") if isinstance(found, dict) else None)
        except (foreign.Unreadable, FileNotFoundError) as error:
            raise _refuse(f"{FOLDER}/{name}", str(error)) from None
    if SETTINGS not in names:
        raise _refuse(f"{FOLDER}/{SETTINGS}", "is not there")


def check_architecture(name: object) -> None:
    """See that transformers has a text model of this type; raises :class:`foreign.Unreadable`."""
    from transformers.models.auto import modeling_auto as auto

    known = {
        *auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        *auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        *auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
        *auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    }
    if name not in known:
        raise foreign.Unreadable(f"names no text model of transformers: {printable(name)}")


def leads(settings: Any) -> str | None:
    """The first name in settings that leads to a file, to code or to another network; None where none does."""
    return next(_leads_within(settings), None)


def _leads_within(value: Any) -> Iterator[str]:
    """Of a JSON value, which is not deep."""
    if isinstance(value, dict):
        for name, one in value.items():
            if _leads(name, one):
                yield str(name)
            yield from _leads_within(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leads_within(one)


def _leads(name: object, value: Any) -> bool:
    """Does an entry name something? Numbers, true and false name nothing (``drop_path_rate``, ``local_files_only``)."""
    return bool(_LEADING.search(str(name))) and isinstance(value, (str, list, dict)) and bool(value)


def _refuse(name: str, message: str) -> WeightsError:
    return WeightsError([ConfigIssue(name, message)])
