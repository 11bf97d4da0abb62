"""Where configuration files come from: the package, the user's ``./conf`` and ``./experiments``, and timm's names."""

from __future__ import annotations

import os
from importlib.resources import files as package_files
from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from tlx.backbones.zoo import timm_architectures
from tlx.config import defaults, files
from tlx.config.schema import EXPERIMENT


def shipped_conf() -> Path:
    """The folder of the shipped groups."""
    return Path(str(package_files("tlx.conf")))


def shipped_experiments() -> Path:
    """The folder of the shipped experiments and studies."""
    return Path(str(package_files("tlx.experiments")))


def user_conf() -> Path:
    """The user's own groups, if the folder exists."""
    return Path.cwd() / "conf"


def user_experiments() -> Path:
    """The user's own experiments, if the folder exists."""
    return Path.cwd() / "experiments"


class VettedSource(FileConfigSource):
    """Serves a folder of configuration files as Hydra does, each vetted before it is read."""

    @staticmethod
    def scheme() -> str:
        return "vetted"

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a file; raises :class:`~tlx.config.errors.ConfigError` where it is not fit to be read."""
        name = self._normalize_file_name(config_path)
        path = Path(self.path, name)
        if not os.path.lexists(path):
            raise ConfigLoadError(f"no such file: {path}")
        text, config = files.load(path)
        defaults.follow(path, self._group(name), find)
        header = ConfigSource._get_header_dict(text[:512])
        where = f"{self.scheme()}://{self.path}"
        return ConfigResult(config=config, path=where, provider=self.provider, header=header)

    @staticmethod
    def _group(name: str) -> str:
        return os.path.dirname(name)


class ExperimentSource(VettedSource):
    """Serves a folder of experiment files as the group ``experiment``."""

    @staticmethod
    def scheme() -> str:
        return "experiments"

    def load_config(self, config_path: str) -> ConfigResult:
        return super().load_config(self._inside(config_path))

    def available(self) -> bool:
        return Path(self.path).is_dir()

    def is_group(self, config_path: str) -> bool:
        return config_path in ("", EXPERIMENT)

    def is_config(self, config_path: str) -> bool:
        return config_path.startswith(f"{EXPERIMENT}/") and super().is_config(self._inside(config_path))

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        if config_path != EXPERIMENT:
            return []
        names: list[str] = super().list("", results_filter)
        return names

    @staticmethod
    def _group(name: str) -> str:
        return EXPERIMENT

    @staticmethod
    def _inside(config_path: str) -> str:
        return config_path.removeprefix(f"{EXPERIMENT}/")


class ZooSource(ConfigSource):
    """Serves ``backbone/<any timm architecture>`` without a file of its own; not listed, there are too many."""

    @staticmethod
    def scheme() -> str:
        return "zoo"

    def load_config(self, config_path: str) -> ConfigResult:
        name = self._architecture(config_path)
        config = OmegaConf.create({"defaults": [{"/schema/backbone@_here_": "timm"}, "_self_"], "name": name})
        header: dict[str, str | None] = {"package": None}  # Hydra fills the package in from the path
        return ConfigResult(config=config, path=f"zoo://{self.path}", provider=self.provider, header=header)

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        return config_path in ("", "backbone")

    def is_config(self, config_path: str) -> bool:
        return config_path.startswith("backbone/") and self._architecture(config_path) in timm_architectures()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        return []

    @staticmethod
    def _architecture(config_path: str) -> str:
        return config_path.removeprefix("backbone/").removesuffix(".yaml")


class Places(SearchPathPlugin):
    """The search path: the user's files win over the shipped ones, which win over timm's bare names."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if user_conf().is_dir() and user_conf().resolve() != shipped_conf().resolve():
            search_path.prepend("user", f"vetted://{user_conf()}")
        if user_experiments().is_dir() and user_experiments().resolve() != shipped_experiments().resolve():
            search_path.append("user-experiments", f"experiments://{user_experiments()}")
        search_path.append("tlx-experiments", f"experiments://{shipped_experiments()}")
        search_path.append("timm", "zoo://timm")


def register() -> None:
    """Make Hydra know these places (again is harmless)."""
    for plugin in (VettedSource, ExperimentSource, ZooSource, Places):
        Plugins.instance().register(plugin)


def find(group: str, option: str) -> Path | None:
    """The file behind an option: the user's if there is one, else the shipped one; null for a bare timm name.

    It may turn out to be no regular file, which whoever reads it says.
    """
    if not option or os.path.basename(option) != option or "\0" in option:
        return None
    paths = (folder / f"{option}.yaml" for folder in _folders(group))
    return next((path for path in paths if os.path.lexists(path)), None)


def options(group: str) -> list[str]:
    """Every option of a group that has a file, sorted."""
    return sorted({path.stem for folder in _folders(group) if os.path.isdir(folder) for path in folder.glob("*.yaml")})


def _folders(group: str) -> list[Path]:
    if group == EXPERIMENT:
        return [user_conf() / group, user_experiments(), shipped_experiments()]
    return [user_conf() / group, shipped_conf() / group]
