"""A file is whole or as it was; links are replaced and not followed; permissions are the umask's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from safetensors.torch import save_file
from torch import zeros

from tlx.files import durable


def test_a_file_is_written_whole(folder: Path) -> None:
    durable.write(folder / "a", "é\n")
    durable.write(folder / "a", b"second")
    assert (folder / "a").read_bytes() == b"second"
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_an_error_leaves_the_old_content_and_nothing_else(folder: Path) -> None:
    durable.write(folder / "a", "old")

    def fail() -> None:
        with durable.replacing(folder / "a") as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a": "old"}


def test_a_sync_that_fails_leaves_the_old_content(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    durable.write(folder / "a", "old")

    def refuse(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space"):
            durable.write(folder / "a", "new")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a": "old"}


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o002])
def test_permissions_are_the_umasks_whatever_the_library_chooses(folder: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        durable.write(folder / "text", "a")
        with durable.replacing(folder / "tensors") as partial:
            save_file({"a": zeros(3)}, partial)
        durable.appending(folder / "log").close()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == dict.fromkeys(("text", "tensors", "log"), 0o666 & ~mask)


def test_nothing_is_written_through_a_link(folder: Path) -> None:
    (folder / "precious").write_text("mine")
    for name in ("written", "log"):
        (folder / name).symlink_to(folder / "precious")
    durable.write(folder / "written", "new")
    with pytest.raises(OSError, match="symbolic links"):
        durable.appending(folder / "log")
    assert (folder / "precious").read_text() == "mine"
    assert (folder / "written").read_text() == "new"
    assert not (folder / "written").is_symlink()


def test_what_killed_writers_left_is_swept_up_and_nothing_else(folder: Path) -> None:
    (folder / ".else.0123abcd.partial").touch()
    for name in (".a.0123abcd.partial", ".a.b.01234567.partial", ".a.partial", "a.0123abcd.partial", ".hidden"):
        (folder / name).touch()
    for name in (".folder.0123abcd.partial", ".other.0123abcd.partial"):
        (folder / name).mkdir()
        (folder / name / ".tmpAbCdEf").touch()
    (folder / ".other.0123abcd.partial" / "mine").mkdir()
    (folder / ".door.0123abcd.partial").symlink_to(".hidden")
    durable.sweep(folder, ["a", "a.b", "folder", "other", "door"])
    assert sorted(path.name for path in folder.iterdir()) == [
        ".a.partial",
        ".else.0123abcd.partial",
        ".hidden",
        ".other.0123abcd.partial",
        "a.0123abcd.partial",
    ]


def test_a_library_may_leave_files_beside_what_it_writes(folder: Path) -> None:
    with durable.replacing_aside(folder / "a") as partial:
        partial.with_name(".tmpAbCdEf").write_text("left")
        partial.write_text("new")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a": "new"}
    assert (folder / "a").stat().st_mode & 0o777 == 0o644


def test_every_new_name_is_synced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content, then the name, then the folders: in this order."""
    seen: list[str] = []
    sync, replace, synced = os.fsync, os.replace, durable.sync_folder

    def fsync(handle: int) -> None:
        seen.append("fsync")
        sync(handle)

    def renamed(old: Path, new: Path) -> None:
        seen.append("rename")
        replace(old, new)

    def folder_synced(path: Path) -> None:
        seen.append(f"folder {path.name}")
        monkeypatch.setattr(os, "fsync", sync)
        synced(path)
        monkeypatch.setattr(os, "fsync", fsync)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", renamed)
    monkeypatch.setattr(durable, "sync_folder", folder_synced)
    durable.make_folder(folder / "one" / "two")
    durable.write(folder / "one" / "two" / "file", "a")
    durable.move(folder / "one" / "two" / "file", folder / "one" / "file")
    assert seen == [f"folder {folder.name}", "folder one", "fsync", "rename", "folder two", "folder one", "folder two"]
