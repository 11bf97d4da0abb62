"""What a logged model asks to be installed."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pytest

from tlx.components import plugins
from tlx.components.plugins import Plugin
from tlx.runs import layout
from tlx.runs.plugin_record import RecordedPlugin
from tlx.serving import registry


def test_the_packages_of_its_plugins_are_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those a record names, the ones that are installed here: a record of others has nothing else installed."""
    monkeypatch.setattr(
        plugins, "installed", lambda: (Plugin("mylab.parts", "mylab", "1.2"), Plugin("o", "other", "3"))
    )
    named = [
        RecordedPlugin("mylab", ["task=mine"], "mylab", "1.2"),
        RecordedPlugin("own", ["task=own"], project="/lab"),
    ]
    named.append(RecordedPlugin("bad", ["task=bad"], "elsewhere", "1"))
    (folder / layout.PLUGINS).write_text(json.dumps([asdict(one) for one in named]))
    assert set(registry.requirements(folder)) - set(registry.requirements()) == {"mylab==1.2"}
    assert f"torch=={version('torch').partition('+')[0]}" in registry.requirements(folder)
