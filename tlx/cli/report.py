"""tlx report <study> [overrides]: write the report of a finished study again; nothing is run.

tlx report quickstart
"""

from __future__ import annotations

from tlx.cli.arguments import Arguments
from tlx.reports.console import Terminal


def run(words: list[str]) -> int:
    """The verb."""
    from tlx.composition.multirun import outline
    from tlx.config.errors import ConfigError, ConfigIssue
    from tlx.orchestration.study.conduct import collect
    from tlx.reports.terminal import show

    words = [word if "=" in word else f"experiment={word}" for word in Arguments().take(words).words]
    about = outline(words)
    if about.kind != "study":
        message = "no study; write tlx report <study> (tlx list experiment)"
        raise ConfigError([ConfigIssue("experiment", message, about.experiment or None)])
    study = collect(about.name, words)
    show(study.found, str(study.sweep.folder), Terminal(soft_wrap=False))
    return 0
