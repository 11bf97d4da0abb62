"""What a power cut may leave of a folder, by the file-changing calls that were made in it.

There are inodes with content, and folders with entries. At every point between two calls the power may go. Of a folder
the changes to its entries (create, rename, unlink, mkdir) are on the disk as any prefix of their order, at least up to
the folder's last fsync; a rename between folders is a change of both; folders choose independently of each other. That
is more than ext4's one journal allows, and true of other file systems. Of a file, what was there at its last fsync is
certain; what came after may be

- ``whole``: all there,
- ``absent``: the content of the last fsync, no bytes for a new file,
- ``emptied``: cut where it was truncated since, and nothing of what was written then,
- ``cut``: the half of it,
- ``zeros``: of the right length, without the data.

A call that the model does not know, and one that the trace has not seen, are told: a proof has no gaps of this kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import xxhash
from shim import Call

CONDITIONS = ("whole", "absent", "emptied", "cut", "zeros")
Choice = dict[int, Any]  # by number of a node: a condition, or how many of a folder's pending changes are there


class File:
    """An inode with content."""

    def __init__(self, content: bytes = b"") -> None:
        self.now = bytearray(content)
        self.sync()

    def sync(self) -> None:
        """All of it is certain."""
        self.synced = bytes(self.now)
        self.kept = self.least = len(self.now)  # untouched bytes at the beginning; the shortest it has been
        self._known: dict[str, bytes] | None = None

    def write(self, offset: int, data: bytes) -> None:
        """Put data at an offset."""
        self.now.extend(bytes(max(0, offset - len(self.now))))
        self.now[offset : offset + len(data)] = data
        self.kept, self._known = min(self.kept, offset), None

    def truncate(self, size: int) -> None:
        """Cut or extend."""
        del self.now[size:]
        self.now.extend(bytes(size - len(self.now)))
        self.kept, self.least, self._known = min(self.kept, size), min(self.least, size), None

    def contents(self) -> dict[str, bytes]:
        """What may be on the disk, by condition; the first is the whole, equal ones are one."""
        if self._known is None:
            now, tail = bytes(self.now), len(self.now) - self.kept
            all_of_them = {"whole": now, "absent": self.synced, "emptied": self.synced[: self.least]}
            all_of_them |= {"cut": now[: self.kept + tail // 2], "zeros": now[: self.kept] + bytes(tail)}
            found: dict[str, bytes] = {}
            if now != self.synced:
                for condition, content in all_of_them.items():
                    if content not in found.values():
                        found[condition] = content
            self._known = found or {"whole": now}
            self._digests: dict[str, str] = {}
        return self._known

    def digest(self, condition: str) -> str:
        """A hash of the content in a condition."""
        contents = self.contents()
        if condition not in self._digests:
            self._digests[condition] = xxhash.xxh3_128_hexdigest(contents[condition])
        return self._digests[condition]


class Folder:
    """Entries that are certain, and changes to them that are not."""

    def __init__(self) -> None:
        self.certain: dict[str, Node] = {}
        self.now: dict[str, Node] = {}
        self.pending: list[dict[str, Node | None]] = []

    def change(self, entries: dict[str, Node | None]) -> None:
        """One change, of one name or of several at once."""
        self.pending.append(entries)
        _apply(self.now, entries)

    def sync(self) -> None:
        """All changes are certain."""
        self.certain, self.pending = dict(self.now), []

    def entries(self, count: int | None = None) -> dict[str, Node]:
        """Entries with the first so many of the pending changes; with all of them."""
        if count is None or count == len(self.pending):
            return self.now
        found = dict(self.certain)
        for change in self.pending[:count]:
            _apply(found, change)
        return found


Node = File | Folder


def _apply(entries: dict[str, Node], change: dict[str, Node | None]) -> None:
    for name, node in change.items():
        entries.pop(name, None)
        if node is not None:
            entries[name] = node


class Tree:
    """A folder, call after call."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.top = Folder()
        self.nodes: list[Node] = [self.top]
        self.names: dict[int, str] = {0: "."}  # what each node was called first
        self._number = {id(self.top): 0}
        self._inodes: dict[int, File] = {}
        self.unknown: list[str] = []  # calls without a model

    def apply(self, call: Call) -> None:
        """One traced call."""
        if call.kind in "wt" or (call.kind == "s" and not call.folder) or (call.kind == "o" and not call.created):
            file = self._inodes.get(call.inode)
            if file is None:
                self.unknown.append(str(call))
            elif call.kind == "w":
                file.write(call.offset, call.data)
            elif call.kind == "s":
                file.sync()
            else:
                file.truncate(call.offset if call.kind == "t" else 0)
        elif call.kind == "s":
            folder = self._at(self._parts(call.path))
            if isinstance(folder, Folder):
                folder.sync()
        elif call.kind == "o":
            file = self._inodes[call.inode] = File()
            self._name(call.path, file)
        elif call.kind == "d":
            self._name(call.path, Folder())
        elif call.kind == "u":
            self._change(call.path, None)
        elif call.kind in "rl":
            self._move(call)
        else:
            self.unknown.append(str(call))

    def unseen(self, call: Call) -> Call | None:
        """The rename that must have come before a call, as its file is not where it was (not through libc)."""
        if call.kind == "r" and self._at(self._parts(call.path)) is None:
            folder = Path(call.path).parent
            place = self._at(self._parts(str(folder)))
            names = (
                [name for name, node in place.now.items() if isinstance(node, File)]
                if isinstance(place, Folder)
                else []
            )
            return replace(call, path=str(folder / names[0]), other=call.path) if len(names) == 1 else None
        file = self._inodes.get(call.inode)
        if call.kind not in "wts" or file is None or call.path.endswith(" (deleted)"):
            return None
        if self._at(self._parts(call.path)) is file:
            return None
        before = [path for path, (node, _) in self.content({}).items() if node is file]
        return replace(call, kind="r", path=str(self.root / before[0]), other=call.path, data=b"") if before else None

    def options(self) -> list[tuple[int, Sequence[Any]]]:
        """What is not certain: nodes, and what each may be; as it was last comes first."""
        found: list[tuple[int, Sequence[Any]]] = []
        seen, todo = {0}, [0]
        while todo:
            number = todo.pop()
            node = self.nodes[number]
            if isinstance(node, Folder):
                if node.pending:
                    found.append((number, range(len(node.pending), -1, -1)))
                inside = [*node.certain.values(), *(one for change in node.pending for one in change.values() if one)]
                fresh = {self._number[id(one)] for one in inside} - seen
                seen |= fresh
                todo += sorted(fresh)
            elif len(node.contents()) > 1:
                found.append((number, tuple(node.contents())))
        return sorted(found, key=lambda one: one[0])

    def content(self, choice: Choice) -> dict[str, tuple[Node, Any]]:
        """The tree of a choice: every path with its node and the condition that is in."""
        found: dict[str, tuple[Node, Any]] = {}

        def walk(folder: Folder, path: str) -> None:
            for name, node in folder.entries(choice.get(self._number[id(folder)])).items():
                found[path + name] = node, choice.get(self._number[id(node)], "whole")
                if isinstance(node, Folder):
                    walk(node, f"{path}{name}/")

        walk(self.top, "")
        return found

    def digest(self, choice: Choice) -> str:
        """A hash of the tree of a choice."""
        lines = [
            f"{path}|{node.digest(how) if isinstance(node, File) else ''}"
            for path, (node, how) in self.content(choice).items()
        ]
        return xxhash.xxh3_128_hexdigest("\n".join(sorted(lines)).encode())

    def write(self, choice: Choice) -> None:
        """Put the tree of a choice where it was traced; what is there has to be gone."""
        self.root.mkdir(parents=True)
        for path, (node, how) in self.content(choice).items():
            if isinstance(node, Folder):
                (self.root / path).mkdir()
            else:
                (self.root / path).write_bytes(node.contents()[how])

    def notes(self, choice: Choice) -> list[str]:
        """What is not as it was last, in words."""
        said = []
        for number, how in choice.items():
            node = self.nodes[number]
            if isinstance(node, Folder) and how < len(node.pending):
                said.append(f"{self.names[number]}: the first {how} of {len(node.pending)} changes")
            elif isinstance(node, File) and how != "whole":
                said.append(f"{self.names[number]}: {how}")
        return said

    def differs(self) -> list[str]:
        """Files that are not on the disk what the calls have made of them: then some were not seen."""
        wanted = {path: node for path, (node, _) in self.content({}).items()}
        there = {str(path.relative_to(self.root)): path for path in self.root.rglob("*")}
        files = {path: node for path, node in wanted.items() if path in there and isinstance(node, File)}
        other = [path for path, file in files.items() if there[path].read_bytes() != file.contents()["whole"]]
        return sorted({*other, *(wanted.keys() ^ there.keys())})

    def _parts(self, path: str) -> tuple[str, ...]:
        return Path(path).relative_to(self.root).parts

    def _at(self, parts: Sequence[str]) -> Node | None:
        node: Node | None = self.top
        for part in parts:
            node = node.now.get(part) if isinstance(node, Folder) else None
        return node

    def _name(self, path: str, node: Node) -> None:
        self._number[id(node)] = len(self.nodes)
        self.names[len(self.nodes)] = "/".join(self._parts(path))
        self.nodes.append(node)
        self._change(path, node)

    def _change(self, path: str, node: Node | None) -> None:
        *above, name = self._parts(path)
        folder = self._at(above)
        assert isinstance(folder, Folder), path
        folder.change({name: node})

    def _move(self, call: Call) -> None:
        node = self._at(self._parts(call.path))
        *above, name = self._parts(call.path)
        *there, other = self._parts(call.other)
        before, after = self._at(above), self._at(there)
        assert isinstance(before, Folder), call
        assert isinstance(after, Folder), call
        assert node is not None, call
        if call.kind == "l":
            after.change({other: node})
        elif before is after:
            before.change({name: None, other: node})
        else:
            before.change({name: None})
            after.change({other: node})
