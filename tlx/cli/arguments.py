"""The words of a verb: its options, as ``--jobs 4``, anywhere among the others; settings are Hydra's overrides."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import NoReturn

from tlx.config.errors import ConfigError, ConfigIssue, suggest


class Arguments(argparse.ArgumentParser):
    """Reads the options of one verb. What is no option is in ``words``, in its order.

    Example:
        >>> arguments = Arguments()
        >>> arguments.value("--port", "a port number")
        >>> arguments.take(["quickstart", "--port", "5050"])
        Namespace(port='5050', words=['quickstart'])
    """

    def __init__(self) -> None:
        super().__init__(add_help=False, allow_abbrev=False, argument_default=None)
        self._wanted: dict[str, str] = {}

    def flag(self, *names: str) -> None:
        """Add an option that is there or not."""
        self.add_argument(*names, action="store_true")

    def value(self, name: str, wanted: str, *, repeated: bool = False) -> None:
        """Add an option with a value.

        Args:
            name: As it is typed.
            wanted: What the value is, for messages.
            repeated: It may be given several times: its value is a list.
        """
        self._wanted[name] = wanted
        if repeated:
            self.add_argument(name, action="append", default=[])
        else:
            self.add_argument(name)

    def take(self, words: Sequence[str]) -> argparse.Namespace:
        """Read the words of a command.

        Raises:
            ConfigError: An option is unknown, or has no value where it needs one.
        """
        found, rest = self.parse_known_args(list(words))
        known = [name for action in self._actions for name in action.option_strings]
        unknown = [word for word in rest if word.startswith("-") and word != "-"]
        if unknown:
            raise ConfigError([_unknown(word.partition("=")[0], known) for word in unknown])
        found.words = rest
        return found

    def error(self, message: str) -> NoReturn:
        """Tell a mistake as every other one is told."""
        name = re.sub(r"^argument ([^:]*):.*", r"\1", message, flags=re.DOTALL).split("/")[0]
        wanted = self._wanted.get(name)
        raise ConfigError([ConfigIssue(name, f"expected {wanted}" if wanted else message, "" if wanted else None)])


def _unknown(word: str, known: list[str]) -> ConfigIssue:
    hint = suggest(word, known) or (f"; there are {', '.join(known)}" if known else "; this verb has none")
    return ConfigIssue(word, f"no such option{hint}")


def number(text: str | None, name: str, wanted: str) -> int | None:
    """Read the whole number above zero that an option was given; None without one.

    Raises:
        ConfigError: It is none.
    """
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise ConfigError([ConfigIssue(name, f"expected {wanted}", text)])
    return int(text)


def with_config_dirs(words: list[str]) -> list[str]:
    """Look for configuration files where ``--config-dir`` and ``hydra.searchpath`` say.

    Returns:
        The other words.

    Raises:
        ConfigError: There is no such folder.
    """
    if not any(word.partition("=")[0] in ("hydra.searchpath", "--config-dir") for word in words):
        return words
    from tlx.composition.overrides import parsed  # Hydra takes a while to import, and few commands need it here
    from tlx.composition.search_path import add_config_dir

    for word in [one for one in words if one.partition("=")[0] == "hydra.searchpath"]:
        found = parsed(word).value()
        for folder in found if isinstance(found, list) else [found]:
            add_config_dir(str(folder))
        words = [one for one in words if one is not word]
    others: list[str] = []
    waiting = iter(words)
    for word in waiting:
        name, sign, folder = word.partition("=")
        if name != "--config-dir":
            others.append(word)
        elif folder := folder if sign else next(waiting, ""):
            add_config_dir(folder)
        else:
            raise ConfigError([ConfigIssue("--config-dir", "expected a folder of configuration files", "")])
    return others
