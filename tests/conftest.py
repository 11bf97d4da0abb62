"""Shared by all tests: offline, a cache and a working directory of their own, one thread."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # read at import by huggingface_hub
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.pop("MLFLOW_TRACKING_URI", None)

import pytest


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Rendered data and hashes go to a folder of this session."""
    before = os.environ.get("TLX_CACHE")
    os.environ["TLX_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["TLX_CACHE"]
    else:
        os.environ["TLX_CACHE"] = before


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test runs in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
