"""Plugins are found, trusted, imported once, and part of the identity of what they take part in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tlx
from tests.components.conftest import PART, TRIAL, Make
from tests.conftest import Said
from tlx.components import plugins, source, trust
from tlx.components.registry import of_group
from tlx.config.errors import ConfigError
from tlx.training.locate import locate

pytestmark = pytest.mark.usefixtures("plugged")


def test_a_project_is_not_trusted_for_lying_here(make: Make, said: Said) -> None:
    place = make(mine_a='raise RuntimeError("imported")')
    for words in (("train", *TRIAL), ("plan", *TRIAL), ("sweep", *TRIAL, "seed=0,1"), ("list",), ("schema",)):
        text = said(*words, code=2)
        assert str(place / "pyproject.toml") in text
        assert "tlx plugins trust" in text
    assert "not trusted" in said("plugins", "ls")
    assert "mine_a" not in sys.modules
    assert not (place / "runs").exists()


def test_a_trusted_project_brings_its_parts_as_long_as_it_lists_the_same(make: Make, said: Said) -> None:
    make(mine_b=PART.replace("NAME", "counted"))
    assert "trusted" in said("plugins", "trust")
    assert "callback=counted  Counts the rounds." in said("plugins", "ls")
    assert "above zero" in said("plan", *TRIAL, "callbacks.counted={most: 0}", code=2)
    make(mine_b="", mine_c="")
    assert "lists other plugins than you trusted" in said("list", code=2)
    assert "is not trusted any more" in said("plugins", "trust", "--revoke")
    assert "was not trusted" in said("plugins", "trust", "--revoke")


def test_what_is_trusted_by_the_environment(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    place = make(mine_d=PART.replace("NAME", "environed"))
    with pytest.raises(ConfigError, match="not trusted"):
        plugins.load()
    monkeypatch.setenv(trust.VARIABLE, trust.digest(place, ["mine_other"]))
    with pytest.raises(ConfigError, match="not trusted"):
        plugins.load()
    monkeypatch.setenv(trust.VARIABLE, "1")
    assert [one.module for one in plugins.load()] == ["mine_d"]
    assert "environed" in of_group("callback")


def test_the_nearest_project_counts_from_below_and_only_it(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    place = make(mine_e="")
    (place / "below" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(place / "below" / "deeper")
    found = plugins.project()
    assert found is not None
    assert (found.folder, found.modules) == (place, ("mine_e",))
    (place / "below" / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    assert plugins.project() is None


def test_the_code_of_a_part_is_in_the_identity_of_its_trials_alone(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(trust.VARIABLE, "1")
    place = make(mine_f=PART.replace("NAME", "hashed"))
    bare, chosen = tlx.compose(TRIAL), tlx.compose([*TRIAL, "callbacks.hashed={}"])
    before = locate(bare).identity, locate(chosen).identity
    (place / "mine_f.py").write_text(PART.replace("NAME", "hashed") + "# a line\n")
    assert (locate(bare).identity, locate(chosen).identity) == before  # what was imported is what runs
    source._files.cache_clear()  # as in another process
    assert locate(bare).identity == before[0]
    assert locate(chosen).identity != before[1]


def test_a_changed_line_is_another_trial_and_why_names_the_file(
    make: Make, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(trust.VARIABLE, "1")
    place = make(mine_g=PART.replace("NAME", "told"))
    said("train", *TRIAL, "callbacks.told={}")
    (run,) = (path.parent for path in (place / "runs").glob("*/result.json"))
    assert "would not run again" in said("why", str(run))
    (place / "mine_g.py").write_text(PART.replace("NAME", "told") + "# a line\n")
    source._files.cache_clear()
    text = said("why", str(run))
    assert "would run again" in text
    assert "code: mine_g/mine_g.py" in text
    assert json.loads((run / "plugins.json").read_text())[0]["parts"] == ["callback=told"]


def test_a_run_whose_plugin_is_gone_names_it(make: Make, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(trust.VARIABLE, "1")
    place = make(mine_h=PART.replace("NAME", "gone"))
    said("train", *TRIAL, "callbacks.gone={}")
    (run,) = (path.parent for path in (place / "runs").glob("*/result.json"))
    (place / "pyproject.toml").unlink()
    command = [sys.executable, "-P", "-m", "tlx", "why", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=place, check=False)
    assert done.returncode == 2
    assert "the plugin mine_h (callback=gone) is not here: it was of the project" in done.stderr


def test_trials_of_a_sweep_find_the_parts_of_the_project(
    make: Make, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(trust.VARIABLE, "1")
    place = make(mine_i=PART.replace("NAME", "swept"))
    said("sweep", *TRIAL, "callbacks.swept={}", "seed=0,1", "--jobs", "1")
    assert len(list((place / "runs").glob("*/plugins.json"))) == 2


def test_a_part_of_this_process_alone_is_no_part_of_a_sweep(said: Said) -> None:
    module = sys.modules["mine_alone"] = ModuleType("mine_alone")
    exec(PART.replace("NAME", "alone"), vars(module))
    text = said("sweep", *TRIAL, "callbacks.alone={}", "seed=0,1", code=2)
    assert "callbacks.alone = alone" in text
    assert "[tool.tlx] plugins" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import mine_nowhere", "No module named 'mine_nowhere'"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(0)", "SystemExit"),
        (PART.replace("NAME", "gradient_norm"), "callback=gradient_norm is there already"),
    ],
)
def test_a_broken_plugin_is_named_with_its_file_and_registers_nothing(
    make: Make, said: Said, monkeypatch: pytest.MonkeyPatch, text: str, expected: str
) -> None:
    monkeypatch.setenv(trust.VARIABLE, "1")
    make(mine_j=PART.replace("NAME", "sound"), mine_k=PART.replace("NAME", "half") + text)
    said_text = said("list", code=2)
    assert "plugin mine_k" in said_text
    assert expected in said_text
    assert "half" not in of_group("callback")


def test_a_module_that_is_not_there_is_said(make: Make, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(trust.VARIABLE, "1")
    place = make('["mine_l.parts"]', mine_l="")
    assert "cannot be imported" in (text := said("list", code=2)) or "there is no module" in text
    make('["mine_m"]')
    assert f"there is no module 'mine_m' in {place}" in said("list", code=2)


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ('"mine"', "expected a list of modules"),
        ('["a-b"]', "expected a module as it is imported"),
        ("[1]", "expected a module as it is imported"),
        ("[\"os.system('x')\"]", "expected a module as it is imported"),
        ('["mine"', "cannot be read"),
        ('["mine"]\nplugin = 3', "did you mean plugins?"),
    ],
)
def test_a_list_that_is_none(make: Make, said: Said, listed: str, expected: str) -> None:
    make(listed)
    assert expected in said("list", code=2)


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_whatever_a_pyproject_says_is_read_or_refused(text: str) -> None:
    plugins._read.cache_clear()
    Path("pyproject.toml").write_text(f"[tool.tlx]\n{text}", encoding="utf-8", newline="")
    try:
        found = plugins.project()
    except ConfigError:
        return
    assert found is None or all(isinstance(name, str) for name in found.modules)


def test_a_module_of_a_project_never_takes_the_place_of_a_library(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(trust.VARIABLE, "1")
    make(mine_n="import json, random", random="raise RuntimeError", json="raise RuntimeError")
    listed = Path("pyproject.toml").read_text().replace(', "random", "json"', "")
    Path("pyproject.toml").write_text(listed)
    plugins.load()
    assert os.path.dirname(sys.modules["json"].__file__ or "") != os.getcwd()


def test_an_installed_copy_does_not_run_in_the_place_of_the_projects(
    make: Make, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(trust.VARIABLE, "1")
    other = tmp_path_factory.mktemp("other")
    (other / "mine_q.py").write_text("")
    monkeypatch.syspath_prepend(str(other))
    make(mine_q=PART.replace("NAME", "copied"))
    try:
        with pytest.raises(ConfigError, match=r"is imported from .*mine_q\.py, not from this project"):
            plugins.load()
    finally:
        sys.modules.pop("mine_q", None)


def test_a_broken_plugin_that_is_mended_registers_all_of_it(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(trust.VARIABLE, "1")
    place = make('["mine_r.all"]')
    (place / "mine_r").mkdir()
    (place / "mine_r" / "__init__.py").write_text("")
    (place / "mine_r" / "first.py").write_text(PART.replace("NAME", "mended"))
    (place / "mine_r" / "all.py").write_text("import mine_r.first\nimport mine_nowhere")
    with pytest.raises(ConfigError, match="mine_nowhere"):
        plugins.load()
    (place / "mine_r" / "all.py").write_text("import mine_r.first")
    plugins.load()
    assert "mended" in of_group("callback")


def test_a_trial_that_was_begun_with_other_code_begins_anew_and_says_so(
    make: Make, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(trust.VARIABLE, "1")
    place = make(mine_s=PART.replace("NAME", "begun"))
    said("train", *TRIAL, "callbacks.begun={}")
    (run,) = (path.parent for path in (place / "runs").glob("*/result.json"))
    (run / "result.json").unlink()
    (place / "mine_s.py").write_text(PART.replace("NAME", "begun") + "# a line\n")
    source._files.cache_clear()
    assert f"{run.name} was begun with other code mine_s/mine_s.py" in said("train", *TRIAL, "callbacks.begun={}")
