"""Make the data: ``python -m progression.make patients.sqlite`` writes scikit-learn's diabetes data into SQLite."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from sklearn.datasets import load_diabetes


def make(file: Path) -> int:
    """Write the table ``patients`` into a new file; returns how many there are."""
    frame = load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})
    names = ", ".join(frame.columns)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"CREATE TABLE patients (id INTEGER PRIMARY KEY, {names})")
        places = ", ".join("?" for _ in frame.columns)
        connection.executemany(f"INSERT INTO patients ({names}) VALUES ({places})", frame.to_numpy().tolist())
    return len(frame)


if __name__ == "__main__":
    (name,) = sys.argv[1:] or ["patients.sqlite"]
    if Path(name).exists():
        sys.exit(f"{name} is there already")
    print(f"{make(Path(name))} patients are in {name}")
