"""A finished trial, as Python has it: its result, and a folder that can be used from wherever one is."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from html import escape
from pathlib import Path

from tlx.runs.result import Result


@dataclass(frozen=True, repr=False)
class Run(Result):
    """What a finished trial found (:class:`~tlx.runs.result.Result`), and where: ``folder`` is absolute.

    Two are equal that have found the same, wherever that lies. A run stands for its folder wherever a path does:
    ``tlx.load(run)``, ``Path(run) / "predictions.jsonl"``.
    """

    folder: str = field(compare=False)

    def __fspath__(self) -> str:
        return self.folder

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in _metrics(self))
        return f"<Run {self.name}: {shown}; {self.folder}>"

    def _repr_html_(self) -> str:
        rows = [*_metrics(self), ("steps", f"{self.steps:,}"), ("trained", f"{self.trained:,} of {self.parameters:,}")]
        rows += [("seconds", f"{self.wall_seconds:.1f}"), ("folder", self.folder)]
        return table(self.name, rows)


def run_of(result: Result, folder: Path) -> Run:
    """The run of a result that was recorded in a folder."""
    values = {one.name: getattr(result, one.name) for one in fields(Result)}
    return Run(**{**values, "folder": str(folder)})


def table(title: str, rows: list[tuple[str, str]]) -> str:
    """A small table of names and values in HTML, nothing of which is markup but the table."""
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table><caption>{escape(title)}</caption><tbody>{cells}</tbody></table>"


def _metrics(result: Result) -> list[tuple[str, str]]:
    """The metrics, those that models are compared by first."""
    first = [f"{split}/{result.primary.name}" for split in ("test", "val")]
    names = dict.fromkeys([*(name for name in first if name in result.metrics), *result.metrics])
    return [(name, "undefined" if (v := result.metrics[name]) is None else f"{v:.4g}") for name in names]
