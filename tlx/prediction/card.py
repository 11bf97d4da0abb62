"""What a trained model is, in a few words for people."""

from __future__ import annotations

from html import escape

from tlx.columns.schema import Schema
from tlx.config.schema import Trial
from tlx.prediction.answers import classes

_SHOWN = 10  # columns, and names


def card(trial: Trial, schema: Schema) -> dict[str, str]:
    """The backbone, the data it was trained on, what it reads and what it predicts."""
    inputs = [f"{name}: {column.summary}" for name, column in schema.inputs.items()]
    targets = [f"{name}: {column.summary}" for name, column in schema.targets.items()]
    if names := classes(schema):
        targets.append(", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else ""))
    more = [f"and {len(inputs) - _SHOWN} more"] if len(inputs) > _SHOWN else []
    return {
        "backbone": str(trial.backbone.alias or trial.backbone.name),
        "trained on": str(trial.dataset.name),
        "input": "; ".join([*inputs[:_SHOWN], *more]),
        "predicts": "; ".join(targets),
    }


def as_text(found: dict[str, str]) -> str:
    """A line for each."""
    return "Model(\n" + "".join(f"  {name}: {text}\n" for name, text in found.items()) + ")"


def as_html(found: dict[str, str]) -> str:
    """A table for notebooks."""
    rows = "".join(f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in found.items())
    return f"<table>{rows}</table>"
