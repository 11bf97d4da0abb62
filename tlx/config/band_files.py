"""Images of several files, one for each band: what the files are called, as ``{image}_B{02,03,04}.tif``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tlx.config.errors import ConfigIssue

IMAGE = "{image}"
_BANDS = re.compile(r"\{([^{}]*)\}")
_EXPECTED = "such as {image}_B{02,03,04}.tif, or {image}/{B02,B03}.tif where each image has a folder of its own"


@dataclass(frozen=True)
class BandFiles:
    """The files of an image, seen from the folder that the image lies in.

    Args:
        names: In the order of the channels, each with ``{image}`` where the image's name stands.
    """

    names: tuple[str, ...]

    def of(self, image: str | Path) -> list[Path]:
        """The files of an image; what is called after it need not be there itself."""
        folder, name = os.path.split(os.path.normpath(image))
        return [Path(folder, one.replace(IMAGE, name)) for one in self.names]

    def image_of(self, file: str) -> str | None:
        """The image that a file is of, its parts joined by ``/`` as those of the file; None where it is of none.

        Of several names that fit, the one with the most letters of its own counts: ``{image}_nir.tif`` before
        ``{image}.tif``.
        """
        for pattern in _patterns(self.names):
            if found := pattern.fullmatch(file):
                return found["above"] + found["image"]
        return None


def parsed(pattern: str) -> BandFiles:
    """The files that a pattern names; :func:`issues` has found nothing wrong with it."""
    given = pattern.replace(IMAGE, "\0")
    (bands,) = _BANDS.findall(given)
    before, after = given.split(f"{{{bands}}}")
    return BandFiles(tuple(f"{before}{word.strip()}{after}".replace("\0", IMAGE) for word in bands.split(",")))


def issues(pattern: str, key: str) -> Iterator[ConfigIssue]:
    """What is wrong with a pattern.

    Args:
        pattern: With ``{image}``, and the bands in one pair of braces.
        key: The option that holds it.
    """
    if IMAGE not in pattern:
        yield ConfigIssue(key, f"expected {IMAGE} where the image's name stands, {_EXPECTED}", pattern)
        return
    rest = pattern.replace(IMAGE, "")
    lists = _BANDS.findall(rest)
    if len(lists) != 1 or set("{}") & set(_BANDS.sub("", rest)):
        yield ConfigIssue(key, f"expected one list of bands in braces, {_EXPECTED}", pattern)
        return
    words = [word.strip() for word in lists[0].split(",")]
    if len(set(words)) < len(words):
        yield ConfigIssue(key, "names a band twice", pattern)
    if any(_leads_away(name) for name in parsed(pattern).names):
        yield ConfigIssue(key, "expected files beside the image or below its folder", pattern)


def _leads_away(name: str) -> bool:
    return os.path.isabs(name) or any(part in ("", ".", "..") for part in name.split("/"))


@lru_cache(maxsize=64)
def _patterns(names: tuple[str, ...]) -> list[re.Pattern[str]]:
    """One for each name, those with the most letters of their own first."""
    return [_pattern(name) for name in sorted(names, key=lambda name: -len(name.replace(IMAGE, "")))]


def _pattern(name: str) -> re.Pattern[str]:
    first, *more = [re.escape(part) for part in name.split(IMAGE)]
    inner = "(?P<image>[^/]+)" + "(?P=image)".join(more)
    return re.compile(f"(?P<above>(?:.*/)?){first}{inner}", re.DOTALL)
