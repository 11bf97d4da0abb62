"""Patients as rows of SQLite: the measurements are inputs, the grade is what is predicted."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from progression.parts import Patients
from tlx.columns import Label, Number
from tlx.config.errors import ConfigIssue, DataError
from tlx.data.source import Source

MEASURED = ("age", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
SEX = {"first": 1.0, "second": 2.0}
# Grades are of all patients, so that grade 3 of one cohort is grade 3 of the other.
QUERY = """
    SELECT id, sex, {measured}, grade
    FROM (SELECT *, ntile(?) OVER (ORDER BY progression, id) AS grade FROM patients)
    WHERE sex = coalesce(?, sex)
    ORDER BY id
"""


def load(options: Patients) -> Source:
    """Read the patients; the splits are cut by tlx, each grade alike."""
    ids, sexes, *measured, grades = zip(*rows(options), strict=True)
    inputs = dict(zip(MEASURED, measured, strict=True)) | ({"sex": sexes} if options.cohort == "all" else {})
    classes = tuple(str(grade) for grade in range(1, options.grades + 1))
    return Source(
        columns=[*(Number(name) for name in inputs), Label("grade", classes=classes)],
        rows={**inputs, "grade": [grade - 1 for grade in grades]},
        splits={},
        origin=lambda example: f"patient {ids[example]}",
    )


def fingerprint(options: Patients) -> str:
    """A hash of the rows themselves: wherever the file lies, and however SQLite has stored them."""
    return hashlib.sha256(repr(rows(options)).encode()).hexdigest()[:32]


def rows(options: Patients) -> list[tuple[Any, ...]]:
    """The rows of a cohort; raises :class:`DataError` where they cannot be read."""
    file = Path(options.file)
    if not file.is_file():
        message = f"no such file; make it: python -m progression.make {options.file}"
        raise DataError([ConfigIssue("dataset.file", message, options.file)])
    query = QUERY.format(measured=", ".join(MEASURED))
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(query, (options.grades, SEX.get(options.cohort))).fetchall()
    except sqlite3.Error as error:
        raise DataError([ConfigIssue("dataset.file", f"cannot be read: {error}", options.file)]) from error
    if not found:
        raise DataError([ConfigIssue("dataset.file", "holds no patients", options.file)])
    return found
