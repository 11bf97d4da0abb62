"""What Hydra composes of choices: the configuration before settings are laid over it, its interpolations unresolved."""

from __future__ import annotations

import pickle
from functools import lru_cache

from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from tlx.components import groups, registry
from tlx.composition import explain, hydra_words, interpolations, request, schema_checks, search_path
from tlx.config.errors import ConfigError, ConfigIssue

_KEPT = 512  # combinations of choices


def tree(choices: tuple[str, ...]) -> DictConfig:
    """Compose choices, each as an override of Hydra's; a copy of what was composed before where no file has changed.

    Raises:
        ConfigError: Hydra cannot compose them.
    """
    found: DictConfig = pickle.loads(_composed(choices, search_path.state(), registry.state())[0])  # our own bytes
    return found


def refers(choices: tuple[str, ...]) -> bool:
    """Are there interpolations in what Hydra composes of these choices?"""
    return b"${" in _composed(choices, search_path.state(), registry.state())[0]


def launcher(choices: tuple[str, ...]) -> str:
    """The launcher that an experiment among these choices names; empty where it names none."""
    return _composed(choices, search_path.state(), registry.state())[1]


@lru_cache(_KEPT)
def _composed(choices: tuple[str, ...], _files: search_path.State, _components: registry.State) -> tuple[bytes, str]:
    found, chosen = _compose(choices)
    return pickle.dumps(found), chosen  # pickles are read in a third of the time a deep copy takes


def _compose(choices: tuple[str, ...]) -> tuple[DictConfig, str]:
    if problems := request.with_files(request.read(choices)).of_hydra:
        raise ConfigError(problems)
    start()
    try:
        with initialize_config_module("tlx.conf", version_base="1.3", job_name="tlx"):
            found = hydra_compose("trial", overrides=list(choices), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain.problems(error)) from None
    except RecursionError:
        chosen = ", ".join(word for word in choices if not word.startswith("~"))
        raise ConfigError([ConfigIssue("configuration", f"refers to itself, or is too deep: {chosen}")]) from None
    chosen = str(found.hydra.runtime.choices.get(hydra_words.LAUNCHER))
    with open_dict(found):
        del found["hydra"]
    if key := interpolations.growing(found):
        raise ConfigError([ConfigIssue(key, interpolations.ENDLESS)])
    if wrong := list(schema_checks.elements(found)):
        raise ConfigError(wrong)
    return found, "" if chosen == "basic" else chosen


def start() -> None:
    """Make Hydra know the schema and where files lie, and forget what it was initialised with."""
    groups.store_schema()
    search_path.register()
    store = ConfigStore.instance()
    known = store.repo.get("hydra", {}).get("launcher", {})
    for name in (*hydra_words.LAUNCHERS, *registry.of_group("launcher")):
        if f"{name}.yaml" not in known:
            store.store(group=hydra_words.LAUNCHER, name=name, node={})
    GlobalHydra.instance().clear()
