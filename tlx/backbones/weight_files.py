"""Read files of tensors that others made: what is no such file, or claims more than it holds, is refused."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from tlx.config.errors import ConfigIssue, WeightsError

_FILES = ("model.safetensors", "checkpoint.safetensors", "pytorch_model.bin", "model.pt", "model.pth", "last.ckpt")
_ARCHIVE = b"PK\x03\x04"  # how torch's files begin since 1.6
# Tensors may take this many times their file's bytes. torch and safetensors store them as they are (once), float
# weights deflate to more than half, and only what is nearly all zeros to less than a twentieth.
_GROWTH = 20
_SMALL = 256 << 20  # bytes that any file may grow to: nothing to be afraid of
_LARGEST = 200 << 30  # bytes in any case: no backbone of one machine has more
State = dict[str, Tensor]


def read(source: str | Path) -> State:
    """Read the tensors of a file or a folder.

    Args:
        source: A file of safetensors or of torch's, or a folder that holds one under a usual name.

    Returns:
        The tensors by name, on the CPU.

    Raises:
        WeightsError: There is none, it is no such file, or it is larger than it may be.
    """
    try:
        path = Path(source).expanduser()
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            path = _in_folder(path)
            mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for a writer
            raise refusal(source, "expected a file or a folder, found a pipe, a socket or a device")
        return _read_file(path)
    except (FileNotFoundError, NotADirectoryError):
        raise refusal(source, "no such file or folder") from None
    except (OSError, ValueError, RuntimeError) as error:  # a name that no file can have, a ~user nobody knows
        raise refusal(source, f"cannot be read: {_first_line(error)}") from error


def refusal(source: str | Path, message: str) -> WeightsError:
    """The error for weights that cannot be read."""
    return WeightsError([ConfigIssue("backbone.weights", message, str(source))])


def _in_folder(folder: Path) -> Path:
    found = [folder / name for name in _FILES if (folder / name).is_file()]
    found = found or sorted(path for path in folder.glob("*.safetensors") if path.is_file())
    if not found:
        raise refusal(folder, f"the folder holds none of {', '.join(_FILES)}")
    return found[0]


def _read_file(path: Path) -> State:
    size = path.stat().st_size
    if size > _LARGEST:
        raise refusal(path, f"has {size:,} bytes; at most {_LARGEST:,} are read")
    if path.suffix == ".safetensors":
        try:
            state: State = load_file(path)  # it refuses headers above 100 MB, and tensors that are not in the file
        except Exception as error:  # its own kind, those of the system, and torch's for types it does not know
            raise refusal(path, f"not a readable safetensors file: {_first_line(error)}") from error
    else:
        state = _by_name(path, _loaded(path, size))
    _check(path, state, size)
    return state


def _loaded(path: Path, size: int) -> Any:
    try:
        _check_archive(path, size)
        return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except Exception as error:  # torch raises many kinds here: pickle, zip, runtime, OS, memory
        message = f"torch cannot read it as plain tensors (pickled objects are refused): {_first_line(error)}"
        raise refusal(path, message) from error


def _check_archive(path: Path, size: int) -> None:
    """See that an archive unpacks to about its own size ("zip bombs"), by its directory, which torch reads it by."""
    with path.open("rb") as stream:
        if stream.read(len(_ARCHIVE)) != _ARCHIVE:
            return
        stream.seek(0)
        with zipfile.ZipFile(stream) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
    _allow(path, total, size, "its archive unpacks to")


def _by_name(path: Path, loaded: Any) -> State:
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    tensors = {str(k): v for k, v in loaded.items() if isinstance(v, Tensor)} if isinstance(loaded, Mapping) else {}
    if not tensors:
        raise refusal(path, "holds no tensors by name")
    return tensors


def _check(path: Path, state: State, size: int) -> None:
    """See that the tensors hold what they say: one may be a single number repeated without end, or none at all."""
    for name, tensor in state.items():
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise refusal(path, f"{name} is no plain tensor (sparse, quantized or without content); save it as one")
    total = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    _allow(path, total, size, "its tensors have")


def _allow(path: Path, total: int, size: int, what: str) -> None:
    most = min(_LARGEST, max(_SMALL, _GROWTH * size))
    if total > most:
        message = f"{what} {total:,} bytes, the file {size:,}: at most {most:,} are read"
        raise refusal(path, f"{message}; save it again by safetensors.torch.save_file")


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
