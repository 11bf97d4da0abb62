"""What a person sees when a request is wrong: every problem at once, in one block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from tlx.files.printable import printable
from tlx.files.secrets import redacted

_SHOWN = 200  # letters of a key or a value
_SHORT = 5  # letters of a word of which half are soon those of another


@dataclass(frozen=True)
class ConfigIssue:
    """One thing wrong with a request: the dotted ``key``, its ``value`` if it has one, and what to do.

    ``where`` names the file and line for a mistake made in a file; it is empty for the command line.
    """

    key: str
    message: str
    value: object = None
    where: str = ""

    @property
    def subject(self) -> str:
        """``key = value``, or the key alone: one line, fit for a terminal, and not too long."""
        key = _short(self.key)
        return key if self.value is None else f"{key} = {_short(self.value)}"


class RequestError(Exception):
    """The request cannot be carried out as written; nothing was started (exit code 2)."""

    heading = "in this request"

    def __init__(self, problems: Sequence[ConfigIssue]) -> None:
        self.problems = list({(p.key, p.message, repr(p.value), p.where): p for p in problems}.values())
        super().__init__(self.block())

    def block(self) -> str:
        """The problems as an aligned block, one line each."""
        count = len(self.problems)
        lines = [f"tlx: {count} problem{'s' if count != 1 else ''} {self.heading}"]
        width = min(44, max((len(p.subject) for p in self.problems), default=0))
        for problem in self.problems:
            place = f"  [{printable(problem.where)}]" if problem.where else ""
            lines.append(redacted(f"  {problem.subject:<{width}}  {printable(problem.message)}{place}"))
        return "\n".join(lines)


class ConfigError(RequestError):
    """The configuration is wrong."""

    heading = "in this configuration"


class DataError(RequestError):
    """The data set cannot be used as it is."""

    heading = "in this data set"


class InputError(DataError):
    """What a trained model is asked about is no input of it."""

    heading = "with this input"


class WeightsError(RequestError):
    """The pretrained weights cannot be loaded as asked."""

    heading = "with these weights"


def _short(value: object) -> str:
    text = printable(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text):,} letters)"


def suggest(word: str, known: Iterable[str], path: str = "", *, cutoff: float = 0.6) -> str:
    """``; did you mean X?`` for the closest known word (shown behind ``path``), or nothing when none is close.

    Args:
        word: What was written. Of five letters or less, one slip is close: a letter more, less or instead, or two
            that are swapped.
        known: What it may have been.
        path: Shown before the word.
        cutoff: How alike longer words have to be (``difflib``'s ratio).
    """
    if len(word) > _SHOWN:  # takes its time
        return ""
    if len(word) <= _SHORT:
        close = [one for one in known if _is_one_slip(word, one)]
        close = get_close_matches(word, close, n=1, cutoff=0)
    else:
        close = get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {path}{close[0]}?" if close else ""


def _is_one_slip(word: str, meant: str) -> bool:
    """Does a word become another by one letter more, less or instead, or by two that are swapped?"""
    longer, shorter = sorted((word, meant), key=len, reverse=True)
    if len(longer) - len(shorter) > 1 or len(shorter) < 2:
        return False
    at = next((i for i, (one, other) in enumerate(zip(longer, shorter, strict=False)) if one != other), len(shorter))
    swapped = longer[at : at + 2] == shorter[at : at + 2][::-1] and longer[at + 2 :] == shorter[at + 2 :]
    return longer[at + 1 :] == shorter[at + (len(longer) == len(shorter)) :] or swapped
