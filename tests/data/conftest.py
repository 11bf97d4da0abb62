"""Shared by the data tests: what ``datasets`` prepares stays in the test's own folder."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest


@pytest.fixture
def datasets_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for ``datasets`` that no other test has filled."""
    cache = tmp_path / "datasets_cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    return cache
