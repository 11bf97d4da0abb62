"""What runs were made with is read from sealed records alone, and what differs among them is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tlx.runs import environment, manifest
from tlx.runs.made_with import MadeWith, differences, made_with

FOUND: dict[str, Any] = {
    "code": {
        "tlx": {"version": "1.2", "commit": "a" * 40, "diff_sha": "b" * 64},
        "project": {"commit": "c" * 40},
    },
    "software": {"torch": "2.9", "python": "3.12", "cpu_capability": "AVX2"},
    "hardware": {"cpu": "a processor", "gpus": ["one", "one"]},
    "flags": {"threads": 2},
    "variables": {"DNNL_MAX_CPU_ISA": "SSE41"},
}
EXPECTED = MadeWith(
    **{"record": "sealed", "torch": "2.9", "python": "3.12", "cpu": "a processor", "gpus": "one, one"},
    **{"threads": "2", "cpu_capability": "AVX2", "tlx": "1.2", "tlx_commit": f"{'a' * 12}+{'b' * 12}"},
    **{"project_commit": "c" * 12},
    variables={"DNNL_MAX_CPU_ISA": "SSE41"},
)


def test_a_record_is_read(folder: Path) -> None:
    manifest.write(folder, {}, FOUND, {})
    assert made_with(folder) == EXPECTED
    manifest.write(folder, {}, {}, {})
    assert made_with(folder) == MadeWith()
    manifest.write(folder, {}, {"hardware": {"gpus": []}}, {})
    assert made_with(folder).gpus == "none"


def test_what_is_not_sealed_says_nothing(folder: Path) -> None:
    assert made_with(folder) == MadeWith("missing")
    manifest.write(folder, {}, FOUND, {})
    path = folder / manifest.FILE
    for text in (path.read_text().replace("2.9", "2.8"), json.dumps(FOUND), "{}", "[]", "", '{"code": 1}'):
        path.write_text(text)
        assert made_with(folder) == MadeWith("altered")


def test_of_this_machine_everything_is_known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_SCHEDULE", "static")
    manifest.write(folder, {}, manifest.surroundings({}, {}, {}, {}), {})
    found = made_with(folder)
    assert found.torch == environment.software()["torch"]
    assert found.threads == str(environment.flags()["threads"])
    assert found.variables is not None
    assert found.variables["OMP_SCHEDULE"] == "static"
    assert [name for name in ("torch", "python", "cpu", "gpus", "threads", "tlx") if getattr(found, name) is None] == []


def test_differences_are_counted() -> None:
    assert differences([]) == differences([EXPECTED]) == differences([EXPECTED, EXPECTED]) == []
    other = MadeWith(torch="2.9", threads="1", variables={})
    found = {one.item: one.counts for one in differences([other, EXPECTED, other, MadeWith("missing")])}
    assert found["threads"] == {"1": 2, "2": 1, "not known": 1}
    assert found["torch"] == {"2.9": 3, "not known": 1}
    assert found["record"] == {"sealed": 3, "missing": 1}
    assert found["DNNL_MAX_CPU_ISA"] == {"not set": 2, "SSE41": 1, "not known": 1}
    assert str(differences([other, EXPECTED])[-1]) == "DNNL_MAX_CPU_ISA: not set in 1, SSE41 in 1"
