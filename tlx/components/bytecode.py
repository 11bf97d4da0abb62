"""A hash of functions and classes that are in no file, as those of a notebook: of what they were compiled to.

What they use of the same module counts as well. Another version of Python compiles to other code.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def digest(objects: Iterable[object]) -> str:
    """32 hexadecimal digits that change when the code of a function or a class does, or of what it uses."""
    found = hashlib.sha256()
    waiting, seen = list(objects), set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        for text, used in _of_class(one) if isinstance(one, type) else _of_value(one):
            found.update(f"{text}\n".encode(errors="backslashreplace"))
            waiting += used
    return found.hexdigest()[:32]


def _of_class(kind: type) -> Iterator[tuple[str, list[object]]]:
    yield f"class {kind.__qualname__}", [base for base in kind.__bases__ if base.__module__ == kind.__module__]
    for name, value in sorted(vars(kind).items()):
        if name not in ("__dict__", "__weakref__", "__module__", "__doc__"):
            for text, used in _of_value(value):
                yield f"{name}: {text}", used


def _of_value(value: Any) -> Iterator[tuple[str, list[object]]]:
    for inner in (getattr(value, name, None) for name in ("fget", "fset", "__func__")):
        if isinstance(inner, FunctionType):
            yield from _of_value(inner)
    if isinstance(value, FunctionType):
        used = [value.__globals__.get(name) for name in sorted(_names(value.__code__))]
        own = [one for one in used if getattr(one, "__module__", None) == value.__module__]
        data = [one for one in used if isinstance(one, (bool, int, float, str, tuple))]
        yield f"{_code(value.__code__)} {_plain(value.__defaults__)} {_plain(value.__kwdefaults__)} {_plain(data)}", own
    elif not isinstance(value, ModuleType):
        yield _plain(value), []


def _code(code: CodeType) -> str:
    constants = [_code(one) if isinstance(one, CodeType) else _plain(one) for one in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_freevars} {constants}"


def _names(code: CodeType) -> set[str]:
    """The names that it may look up in its module, and functions within it."""
    inner = [_names(one) for one in code.co_consts if isinstance(one, CodeType)]
    return {*code.co_names, *(name for names in inner for name in names)}


def _plain(value: object) -> str:
    text = repr(sorted(value, key=repr) if isinstance(value, frozenset) else value)
    return _ADDRESS.sub("", text)
