"""Files that verbs write where they are told to: nothing that somebody else made is replaced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.conftest import Said
from tlx.cli import target
from tlx.config.errors import ConfigError

WORDS = ["backbone=pixels", "strategy=feature_extraction", "strategy.budget=2 steps", "dataset=digits", "tracking=none"]


@given(content=some.binary(max_size=40), kind=some.sampled_from(["file", "link", "folder", "pipe"]))
def test_only_what_begins_as_its_own_is_replaced(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, kind: str
) -> None:
    path = tmp_path_factory.mktemp("some") / "out"
    if kind == "file":
        path.write_bytes(content)
    elif kind == "link":
        path.with_name("other").write_bytes(b"trial," + content)
        path.symlink_to(path.with_name("other"))
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    if kind == "file" and content.startswith(b"trial,"):
        target.check("--csv", path, "trial,", "table")
        return
    with pytest.raises(ConfigError, match="is there already and is no table"):
        target.check("--csv", path, "trial,", "table")


@pytest.mark.parametrize(
    "words", [("results", "--csv"), ("schema", "--out"), ("schema", "backbone", "--out"), ("plan", *WORDS, "--figure")]
)
def test_no_verb_writes_over_a_file_of_the_users(folder: Path, said: Said, words: tuple[str, ...]) -> None:
    if words[0] == "results":
        said("sweep", *WORDS, "seed=1,2")
    for text in ("mine", '{"$schema": "mine"}', "<svg>mine</svg>"):
        (folder / "out.svg").write_text(text)
        assert "is there already" in said(*words, "out.svg", code=2)
        assert (folder / "out.svg").read_text() == text
    assert "no such folder" in said(*words, "nowhere/out.svg", code=2)
    (folder / "out.svg").unlink()
    said(*words, "out.svg")
    written = (folder / "out.svg").read_bytes()
    said(*words, "out.svg")
    assert (folder / "out.svg").read_bytes() == written
