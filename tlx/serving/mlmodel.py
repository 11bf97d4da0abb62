"""A model folder of MLflow, read without MLflow: it is served only if tlx's loader and data are all it names.

``MLmodel`` says which module MLflow imports and which folder it puts on the import path. ``tlx serve`` follows none of
that: it sees that the file names what tlx wrote, and reads the bundle itself.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from tlx.config.errors import ConfigIssue, WeightsError
from tlx.files import foreign
from tlx.files.printable import printable

FILE, LOADER = "MLmodel", "tlx.serving.served"
_FLAVOR = "python_function"
_LARGEST = 4 << 20
_PLAIN = ("loader_module", "python_version", "env", "data")  # the rest of what MLflow writes is empty
_EMPTY = ("code", "model_config", "streamable")


def bundle_of(folder: Path) -> Path:
    """The folder of the bundle in an MLflow model.

    Args:
        folder: The one that ``MLmodel`` lies in.

    Returns:
        A folder below it that no link leads to.

    Raises:
        WeightsError: ``MLmodel`` cannot be read, or names other code than tlx's loader, or data elsewhere.
    """
    try:
        found = foreign.yaml_value(foreign.text(folder / FILE, _LARGEST))
        place = folder / _data(found)
        for part in (place, *place.parents[: len(place.relative_to(folder).parts) - 1]):
            if part.is_symlink() or not part.is_dir():
                raise foreign.Unreadable(f"names data that are no folder of the model: {printable(part.name)}")
    except FileNotFoundError:
        raise _refuse("is not there") from None
    except foreign.Unreadable as error:
        raise _refuse(str(error)) from None
    return place


def _data(found: Any) -> PurePosixPath:
    flavors = found.get("flavors") if isinstance(found, dict) else None
    conf = flavors.get(_FLAVOR) if isinstance(flavors, dict) else None
    if not isinstance(conf, dict) or conf.get("loader_module") != LOADER:
        named = conf.get("loader_module") if isinstance(conf, dict) else None
        raise foreign.Unreadable(f"names other code than {LOADER}: {printable(named)[:80]}; tlx export writes it anew")
    others = sorted(str(name) for name in (flavors or {}).keys() - {_FLAVOR})
    others += sorted(str(name) for name in conf.keys() - {*_PLAIN, *_EMPTY})
    others += [name for name in _EMPTY if conf.get(name)]
    if others:
        raise foreign.Unreadable(f"names more than tlx writes: {printable(', '.join(others))[:80]}")
    data = conf.get("data")
    path = PurePosixPath(data) if isinstance(data, str) and "\0" not in data else PurePosixPath("/")
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise foreign.Unreadable(f"expected a folder of the model as data, found {printable(data)[:80]}")
    return path


def _refuse(message: str) -> WeightsError:
    return WeightsError([ConfigIssue(FILE, message)])
