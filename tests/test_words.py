"""Only tasks and the label columns know what a class is: no other code has a name for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import tlx

ROOT = Path(tlx.__file__).parent
WORDS = {"class", "classes", "class_names", "num_classes", "n_classes", "multilabel", "logits", "acc", "f1_macro"}
KNOW = ("tasks/", "columns/label.py", "columns/__init__.py", "config/task.py", "config/metrics.py")
ALLOWED = {
    "backbones/families/timm_images.py": {"num_classes"},  # timm's own name: 0, so that there is no head
    "data/sources/digits.py": {"classes"},  # sources give label columns their classes
    "data/sources/glyphs.py": {"classes"},
    "data/sources/indicators.py": {"classes"},
    "data/sources/hub.py": {"classes"},
    "prediction/answers.py": {"classes"},  # the probability of each by name
    "prediction/card.py": {"classes"},
    "prediction/matched.py": {"classes"},  # those of other data, by name
    "prediction/model.py": {"classes"},
    "serving/preprocessing.py": {"classes"},  # what a graph's outputs are, in order
    "serving/facts.py": {"classes"},  # how many a served model may have
}


def names(tree: ast.AST) -> Iterator[str]:
    """Every name in a file: of variables, attributes, functions, arguments and keywords; no text, no comment."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, (ast.arg, ast.keyword)):
            yield node.arg or ""
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name


def test_nothing_but_tasks_and_label_columns_knows_what_a_class_is() -> None:
    found: dict[str, set[str]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(KNOW) or name.startswith(("conf/", "experiments/")):
            continue
        used = WORDS & {word.lower() for word in names(ast.parse(path.read_text(encoding="utf-8")))}
        if left := used - ALLOWED.get(name, set()):
            found[name] = left
    assert found == {}


def test_what_is_allowed_is_needed() -> None:
    for name, words in ALLOWED.items():
        used = {word.lower() for word in names(ast.parse((ROOT / name).read_text(encoding="utf-8")))}
        assert words <= used, name
