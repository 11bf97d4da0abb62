"""Parts of Hydra that its plugins are made of: how it reads files, and how it writes out the words of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigSource

__all__ = ["FileConfigSource", "combinations", "header"]


def header(text: str) -> dict[str, str | None]:
    """What the comment at the head of a file says about it: ``# @package _global_``."""
    return ConfigSource._get_header_dict(text[:512])


def combinations(overrides: Sequence[Override]) -> list[list[str]]:
    """Write the overrides of a sweep out: the words of each of its jobs, in Hydra's order."""
    batches = BasicSweeper.split_arguments(list(overrides), max_batch_size=None)
    return [list(words) for batch in batches for words in batch]
