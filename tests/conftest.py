"""Shared by all tests: offline, a cache and a working directory of their own, one thread."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

os.environ["HF_HUB_OFFLINE"] = "1"  # read at import by huggingface_hub
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.pop("MLFLOW_TRACKING_URI", None)

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "tlx",
    max_examples=25,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.register_profile("thorough", settings.get_profile("tlx"), max_examples=5000, derandomize=False)
settings.load_profile("tlx")


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
    """Every test runs in an empty working directory, and finds modules as Python does."""
    for name in ("PYTHONSAFEPATH", "MLFLOW_TRACKING_URI", "TLX_CONFIG_DIRS"):  # verbs set them for their whole process
        monkeypatch.setenv(name, "")  # so that it is as it was after the test, even where it was not there
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def registered() -> Iterator[None]:
    """What a test registers is forgotten after it."""
    from tlx.components import registry

    before = {group: dict(known) for group, known in registry._COMPONENTS.items()}
    yield
    registry._COMPONENTS.clear()
    registry._COMPONENTS.update(before)


@pytest.fixture
def plugged(registered: None, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test trusts, imports from its folder and registers is forgotten after it."""
    from tlx.components import plugins, source, trust

    before, path, loaded = set(sys.modules), list(sys.path), set(plugins._LOADED)
    settings = {"XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("settings")), trust.VARIABLE: ""}
    with patch.dict(os.environ, settings):
        yield
    for name in set(sys.modules) - before:
        if (file := getattr(sys.modules[name], "__file__", None)) and Path(file).is_relative_to(folder):
            del sys.modules[name]
    sys.path[:] = path
    plugins._LOADED.clear()
    plugins._LOADED.update(loaded)
    plugins._read.cache_clear()
    source._files.cache_clear()


Said = Callable[..., str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """What a command prints that ends with ``code``, run in this process, whose server for trials stays warm."""
    from tlx.cli import main

    def run(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        found = main(list(words))
        out, err = capsys.readouterr()
        assert found == code, out + err
        return out + err

    return run
