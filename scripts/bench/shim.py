"""The library that sees and fails file-changing calls (``shim.c``): built, preloaded, armed, and its trace read."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CALLS = {"write": 1, "fsync": 2, "rename": 3, "open": 4, "mkdir": 5, "unlink": 6, "truncate": 7}
ONCE, EVER_AFTER, SHORT = 0, 1, 2  # SHORT: half of the first is written, and from the next on none
VARIABLE = "FILE_SHIM"
_HEAD = struct.Struct("<IBBBBIiQqIIQ")
_MAGIC = 0x4D494853


@dataclass(frozen=True)
class Call:
    """One traced call; which of the fields mean something is up to its ``kind``.

    ``o``: a file was created, or opened and emptied; ``w``: data at an offset; ``t``: cut or extended to ``offset``;
    ``s``: synced; ``r``: renamed to ``other``; ``l``: linked as ``other``; ``u``: unlinked, or a folder removed;
    ``d``: a folder was made; ``?``: what nobody has a model of (``other`` says what).
    """

    kind: str
    created: bool
    folder: bool
    process: int
    inode: int
    offset: int
    path: str
    other: str
    data: bytes

    def __str__(self) -> str:
        names = {"o": "open", "w": "write", "t": "truncate", "s": "fsync", "r": "rename", "l": "link", "u": "unlink"}
        more = f" {len(self.data)} bytes at {self.offset}" if self.kind == "w" else ""
        more += f" -> {self.other}" if self.other else ""
        return f"{names.get(self.kind, 'mkdir' if self.kind == 'd' else self.kind)} {self.path}{more}"


def build(folder: Path) -> Path:
    """Compile the library into a folder; raises :class:`SystemExit` where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise SystemExit("no C compiler (gcc or cc) is found: the library that traces and fails calls cannot be built")
    folder.mkdir(parents=True, exist_ok=True)
    library, source = folder / "shim.so", Path(__file__).with_suffix(".c")
    options = ["-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o", str(library)]
    done = subprocess.run([compiler, *options, str(source), "-ldl", "-lpthread"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{compiler} cannot build {source.name}:\n{done.stderr}")
    return library


def preload(folder: Path) -> Path:
    """Have this program run with the library loaded before all others: it begins again once, if need be."""
    library = folder / "shim.so"
    if str(library) in os.environ.get("LD_PRELOAD", "").split(":"):
        return library
    library = build(folder)
    before = os.environ.get("LD_PRELOAD", "")
    os.environ["LD_PRELOAD"] = f"{library}:{before}" if before else str(library)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.argv])


class Shim:
    """The library in this process, with one state file."""

    def __init__(self, library: Path, state: Path) -> None:
        self.state = state
        self._library = ctypes.CDLL(str(library))

    def make(
        self, prefix: Path, trace: Path | None = None, call: str = "", errno: int = 0, how: int = ONCE, at: int = 0
    ) -> None:
        """A fresh state: what is watched, where it is traced, and which call fails at which count."""
        words = [os.fsencode(str(path or "")) for path in (self.state, prefix, trace)]
        if self._library.shim_make(*words, CALLS.get(call, 0), errno, how, ctypes.c_long(at)):
            raise OSError(f"{self.state} cannot be written")

    def arm(self) -> None:
        """From here on in this process, and in those it starts."""
        os.environ[VARIABLE] = str(self.state)
        if self._library.shim_arm(os.fsencode(self.state)):
            raise OSError(f"{self.state} cannot be used")

    def struck(self) -> str | None:
        """The path of the call that was failed first; null if none was."""
        count, path = ctypes.c_long(), ctypes.create_string_buffer(4096)
        self._library.shim_look.restype = ctypes.c_long
        hits = self._library.shim_look(os.fsencode(self.state), ctypes.byref(count), path, len(path))
        return os.fsdecode(path.value) if hits > 0 else None


def read(trace: Path) -> Iterator[Call]:
    """The calls of a trace, in the order in which they happened."""
    with trace.open("rb") as stream:
        while head := stream.read(_HEAD.size):
            magic, kind, created, folder, _, process, _, inode, offset, path, other, size = _HEAD.unpack(head)
            if magic != _MAGIC:
                raise ValueError(f"{trace} is damaged")
            names = [os.fsdecode(stream.read(length)) for length in (path, other)]
            data = stream.read(size)
            yield Call(chr(kind), bool(created), bool(folder), process, inode, offset, *names, data)
