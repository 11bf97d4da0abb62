"""tlx report experiment=<study> [overrides]: write the report of a finished study again; nothing is run.

tlx report experiment=quickstart
"""

from __future__ import annotations

from tlx.cli.output import Terminal


def run(words: list[str]) -> int:
    """The verb."""
    from tlx.config.errors import ConfigError, Problem
    from tlx.report.terminal import show
    from tlx.sweep.study import collect

    name = next((word.partition("=")[2] for word in words if word.startswith("experiment=")), "")
    if not name:
        raise ConfigError([Problem("experiment", "nothing chosen; write experiment=<study> (tlx list experiment)")])
    study = collect(name, words)
    show(study.found, str(study.sweep.folder), Terminal(soft_wrap=False))
    return 0
