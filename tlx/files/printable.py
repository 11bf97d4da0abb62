"""Text that others chose, made safe to print and to name things by: no control character reaches a terminal."""

from __future__ import annotations

import unicodedata

_SHOWN = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_NOT_IN_XML = "\ufffe\uffff"


def printable(text: object, lines: bool = False) -> str:
    """The text with control and direction characters written out (``\\x1b``); with ``lines`` line ends are kept.

    What is replaced are Unicode's categories Cc (controls), Cf (formatting, such as right-to-left overrides), Cs
    (lone surrogates), Zl and Zp (separators), and what else is no character of XML 1.0: U+FFFE and U+FFFF.
    """
    found = str(text)
    if found.isprintable():
        return found
    return "".join(_one(letter, lines) for letter in found)


def _one(letter: str, lines: bool) -> str:
    if letter.isprintable() or unicodedata.category(letter) == "Zs" or (lines and letter == "\n"):
        return letter
    if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") or letter in _NOT_IN_XML:
        code = ord(letter)
        return _SHOWN.get(letter) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
    return letter  # private use, unassigned: harmless
