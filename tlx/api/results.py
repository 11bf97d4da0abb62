"""``tlx.results``: finished trials as a table."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from tlx.composition.name_rules import path_fault
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.orchestration import status, table
from tlx.runs.layout import RESULT

if TYPE_CHECKING:
    import pandas

_OUTPUT = "runs"  # of the trials that name no other; before the first one it is not there


def results(which: str | PathLike[str] | None = None, *, output: str | PathLike[str] = _OUTPUT) -> pandas.DataFrame:
    """A row for each trial: what varies, its state, its metrics, what it cost, and its folder.

    Args:
        which: A sweep, by its name or folder, or the folder of one run; None: every finished run of the output folder.
        output: The output folder; without ``which``, ``runs`` need not be there yet.

    Raises:
        ConfigError: There is no sweep of that name, or no such output folder.

    Example:
        >>> tlx.results("quickstart").groupby("strategy")["test/acc"].mean()
    """
    import pandas

    if fault := path_fault(fspath(output)):
        raise ConfigError([ConfigIssue("output", fault, output)])
    root = Path(output).expanduser().absolute()  # rows name folders that can be used from anywhere
    if not root.is_dir() and fspath(output) != _OUTPUT:
        known = [path.name for path in root.parent.glob("*/") if path.is_dir()] if root.parent.is_dir() else []
        raise ConfigError([ConfigIssue("output", f"there is no such folder{suggest(root.name, known)}", output)])
    if which is None:
        return pandas.DataFrame(table.of_runs(table.finished(root)))
    if fault := path_fault(fspath(which)):
        raise ConfigError([ConfigIssue("results", fault, which)])
    folder = Path(which).expanduser()
    if (folder / RESULT).is_file():
        return pandas.DataFrame(table.of_runs([folder.absolute()]))
    root = folder.absolute().parent if status.is_sweep(folder) else root
    return pandas.DataFrame(table.rows(status.named(root, [str(folder)])[-1]))
