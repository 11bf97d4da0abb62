"""Configuration files, which strangers may have written: vetted before anything reads them."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tlx.composition import interpolations, values
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import foreign

MOST = 1 << 20  # bytes of a configuration file
_DIGITS = 40  # letters of a number
_REFERENCES = 20  # interpolations of one value
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# a broken value makes YAML's constructors raise whatever the conversion raises
_BROKEN = (yaml.YAMLError, OmegaConfBaseException, ValueError, TypeError, LookupError, ArithmeticError, AttributeError)


def shown(path: Path) -> str:
    """A file as a person would write it: seen from the working directory, or the name alone of one elsewhere."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else path.name


def document(path: Path) -> tuple[str, yaml.Node | None]:
    """Read a configuration file that has been vetted.

    Returns:
        Its text, and its top node; None for an empty file.

    Raises:
        foreign.Unreadable: It cannot be a configuration file; the message says why, with the line where it is known.
        FileNotFoundError: There is none.
    """
    text = foreign.text(path, MOST, links=True)
    return text, _vetted(text)


def load(path: Path) -> tuple[str, DictConfig]:
    """Read a configuration file for Hydra, what its values may be included.

    Raises:
        ConfigError: It is not fit to be read; the file is named.
    """
    try:
        text, root = document(path)
        config = _config(text) if root is not None else OmegaConf.create()
        if not isinstance(config, DictConfig):
            raise foreign.Unreadable("expected keys and values at the top")
        tree = OmegaConf.to_container(config, resolve=False)
        problems = [ConfigIssue(key or shown(path), fault, where=shown(path)) for key, fault in values.faults(tree)]
        if not problems and (key := interpolations.growing(tree)):
            problems = [ConfigIssue(key, interpolations.ENDLESS, where=shown(path))]
    except (foreign.Unreadable, FileNotFoundError) as error:
        reason = str(error) if isinstance(error, foreign.Unreadable) else "is not there"
        raise ConfigError([ConfigIssue(shown(path), reason)]) from None
    if problems:
        raise ConfigError(problems)
    return text, config


@lru_cache(256)
def _vetted(text: str) -> yaml.Node | None:
    foreign.check_yaml(text)
    try:
        root = yaml.compose(text, Loader=_LOADER)
        if root is None:
            return None
        _count(root)
        found = _config(text) if isinstance(root, yaml.MappingNode) else None
    except _BROKEN as error:
        raise foreign.Unreadable(f"is not YAML that can be read: {_reason(error)}") from None
    except RecursionError:
        raise foreign.Unreadable(f"is nested more than {values.DEEPEST} deep") from None
    if found is not None and "${" in text:
        tree = OmegaConf.to_container(found, resolve=False)
        interpolations.announce(name for leaf in interpolations.texts(tree) for name in interpolations.variables(leaf))
    return root


def _config(text: str) -> Any:
    return OmegaConf.load(io.StringIO(text))


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).replace('in "<unicode string>", ', "in ") or type(error).__name__


def _count(root: yaml.Node) -> None:
    """See that the values are few, their keys are words, and their numbers are short, aliases written out."""
    waiting: list[tuple[yaml.Node, int]] = [(root, 0)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        line = f"line {node.start_mark.line + 1}"
        if count > values.MOST:
            raise foreign.Unreadable(f"holds more than {values.MOST:,} values, its aliases written out")
        if depth > values.DEEPEST:
            raise foreign.Unreadable(f"{line}: is nested more than {values.DEEPEST} deep")
        if isinstance(node, yaml.ScalarNode):
            kind = node.tag.rpartition(":")[2]
            if len(node.value) > (_DIGITS if kind in ("int", "float") and not node.style else values.LONGEST):
                raise foreign.Unreadable(f"{line}: a value of {len(node.value):,} letters is too long")
            if node.value.count("${") > _REFERENCES:
                raise foreign.Unreadable(f"{line}: a value of more than {_REFERENCES} interpolations")
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise foreign.Unreadable(f"{line}: expected a word as a key, not a list or keys and values")
                waiting += [(key, depth), (value, depth + 1)]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(one, depth + 1) for one in node.value]
