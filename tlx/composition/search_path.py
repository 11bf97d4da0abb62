"""Where configuration files come from: the package, the user's ``./conf`` and ``./experiments``, and timm's names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files as package_files
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from tlx._compat.hydra_parts import FileConfigSource, header
from tlx.components.registry import of_group
from tlx.composition import defaults, files
from tlx.composition.timm_names import timm_architectures
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import EXPERIMENT, GROUPS

CONFIG_DIRS = "TLX_CONFIG_DIRS"  # of this process and those it starts: folders, as PATH lists them
State = tuple[tuple[str, int, int], ...]


def shipped_conf() -> Path:
    """The folder of the shipped groups."""
    return Path(str(package_files("tlx.conf")))


def shipped_experiments() -> Path:
    """The folder of the shipped experiments and studies."""
    return Path(str(package_files("tlx.experiments")))


def config_dirs() -> list[Path]:
    """Further folders of configuration files, as ``--config-dir`` and ``hydra.searchpath`` name them."""
    return [Path(text) for text in os.environ.get(CONFIG_DIRS, "").split(os.pathsep) if text]


def add_config_dir(text: str) -> None:
    """Look for configuration files in one more folder, in this process and those it starts.

    Raises:
        ConfigError: It is no folder, or it is named as an installed package.
    """
    if text.startswith("pkg://"):
        message = "only folders are searched, as a package's files could run code; name its folder"
        raise ConfigError([ConfigIssue("hydra.searchpath", message, text)])
    folder = Path(text.removeprefix("file://")).expanduser()
    if os.pathsep in text or not folder.is_dir():
        raise ConfigError([ConfigIssue("--config-dir", f"no such folder, seen from {Path.cwd()}", text)])
    known = [*config_dirs(), folder.resolve()]
    os.environ[CONFIG_DIRS] = os.pathsep.join(dict.fromkeys(map(str, known)))


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
        head = header(text)
        where = f"{self.scheme()}://{self.path}"
        return ConfigResult(config=config, path=where, provider=self.provider, header=head)

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
        return config_path == "" or (self._is_below(config_path) and super().is_group(self._inside(config_path)))

    def is_config(self, config_path: str) -> bool:
        return self._is_below(config_path) and super().is_config(self._inside(config_path))

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        if not self.is_group(config_path) or config_path == "":
            return []
        names: list[str] = super().list(self._inside(config_path), results_filter)
        return names

    @staticmethod
    def _group(name: str) -> str:
        return os.path.dirname(f"{EXPERIMENT}/{name}")

    @staticmethod
    def _is_below(config_path: str) -> bool:
        return config_path == EXPERIMENT or config_path.startswith(f"{EXPERIMENT}/")

    @staticmethod
    def _inside(config_path: str) -> str:
        return config_path.removeprefix(EXPERIMENT).removeprefix("/")


class NamedSource(ConfigSource):
    """Serves what is chosen by its name alone, without a file: any registered kind, any architecture of timm."""

    @staticmethod
    def scheme() -> str:
        return "named"

    def load_config(self, config_path: str) -> ConfigResult:
        group, name = self._split(config_path)
        kind, settings = (name, {}) if name in of_group(group) else ("timm", {"name": name})
        config = OmegaConf.create({"defaults": [{f"/schema/{group}@_here_": kind}, "_self_"], **settings})
        head: dict[str, str | None] = {"package": None}  # Hydra fills the package in from the path
        return ConfigResult(config=config, path=f"named://{self.path}", provider=self.provider, header=head)

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        return config_path in ("", *GROUPS)

    def is_config(self, config_path: str) -> bool:
        group, name = self._split(config_path)
        return group in GROUPS and is_named(group, name)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        return []

    @staticmethod
    def _split(config_path: str) -> tuple[str, str]:
        group, _, name = config_path.removesuffix(".yaml").partition("/")
        return group, name


def is_named(group: str, option: str) -> bool:
    """Is an option chosen by its name alone?"""
    return option in of_group(group) or (group == "backbone" and option in timm_architectures())


class SearchPath(SearchPathPlugin):
    """The search path: the user's files win over the shipped ones, which win over bare names."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in reversed(config_dirs()):
            search_path.prepend("config-dir", f"vetted://{folder}")
        if user_conf().is_dir() and user_conf().resolve() != shipped_conf().resolve():
            search_path.prepend("user", f"vetted://{user_conf()}")
        if user_experiments().is_dir() and user_experiments().resolve() != shipped_experiments().resolve():
            search_path.append("user-experiments", f"experiments://{user_experiments()}")
        search_path.append("tlx-experiments", f"experiments://{shipped_experiments()}")
        search_path.append("named", "named://named")


def register() -> None:
    """Make Hydra know these places (again is harmless)."""
    for plugin in (VettedSource, ExperimentSource, NamedSource, SearchPath):
        Plugins.instance().register(plugin)


def find(group: str, option: str) -> Path | None:
    """The file behind an option: the user's if there is one, else the shipped one; None for a bare name.

    It may turn out to be no regular file, which whoever reads it says.
    """
    if not option or "\0" in option or not all(part.strip(".") for part in option.split("/")):
        return None
    paths = (folder / f"{option}.yaml" for folder in _folders(group))
    return next((path for path in paths if os.path.lexists(path)), None)


def options(group: str) -> list[str]:
    """Every option of a group that has a file, or is a part of somebody's own, sorted."""
    own = {kind for kind, part in of_group(group).items() if group in GROUPS and not part.module.startswith("tlx.")}
    return sorted({name for folder in _folders(group) for name in _names(folder)} | own)


def _names(folder: Path) -> Iterator[str]:
    """The files of a folder and of those below it, each as an option is written."""
    for place, folders, names in os.walk(folder):
        within = Path(place).relative_to(folder)
        found = (name for name in (*folders, *names) if name.endswith(".yaml"))  # whoever reads a folder says it is one
        yield from ((within / name.removesuffix(".yaml")).as_posix() for name in found)


def _folders(group: str) -> list[Path]:
    further = [folder / group for folder in config_dirs()]
    if group == EXPERIMENT:
        return [user_conf() / group, user_experiments(), *further, shipped_experiments()]
    return [user_conf() / group, *further, shipped_conf() / group]


def state() -> State:
    """The user's files, their sizes, and when they changed: what was composed holds only as long as these stay."""
    found = []
    for top in (user_conf(), user_experiments(), *config_dirs()):
        for folder, _, names in os.walk(top):
            for path in (os.path.join(folder, name) for name in names if name.endswith(".yaml")):
                with suppress(OSError):  # a link to nothing
                    seen = os.stat(path)
                    found.append((path, seen.st_size, seen.st_mtime_ns))
    return (("", len(found), 0), *sorted(found))
