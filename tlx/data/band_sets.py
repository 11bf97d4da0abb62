"""The files of images that are made of several: which there are, and one hash for the content of all of an image's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from tlx.config.band_files import BandFiles
from tlx.data.fingerprint import contents
from tlx.files import regular

Named = tuple[str, str]  # what an image is called, and where it lies


def files(images: Iterable[Named], bands: BandFiles) -> Iterator[tuple[str, str]]:
    """Each file that is there, as (name, path); one that is missing is told when the image is looked at."""
    for name, path in images:
        for own, file in zip(bands.of(name), bands.of(path), strict=True):
            try:
                regular.look(file)
            except (OSError, ValueError):  # ValueError: no name of a file
                continue
            yield own.as_posix(), str(file)


def hashes(place: str, images: Iterable[Named], bands: BandFiles) -> list[str]:
    """A hash for the content of each image; empty where a file cannot be read.

    Args:
        place: What is remembered of the files belongs to.
        images: Each as (what its files are remembered under, where it lies).
        bands: What its files are called.
    """
    count = len(bands.names)
    listed = (
        (own.as_posix(), own.as_posix(), file)
        for name, path in images
        for own, file in zip(bands.of(name), bands.of(path), strict=True)
    )
    found = contents(place, listed)
    sets = [found[start : start + count] for start in range(0, len(found), count)]
    return [hashlib.sha256("\n".join(one).encode()).hexdigest() if all(one) else "" for one in sets]


def grouped(listed: Iterable[str], bands: BandFiles) -> tuple[dict[str, list[str]], list[str]]:
    """Put files together that are of one image.

    Args:
        listed: Paths, parts joined by ``/``.
        bands: What the files of an image are called.

    Returns:
        By image, in the order of their paths, the files that are there; and the files that are of none.
    """
    found, others = dict[str, list[str]](), list[str]()
    for file in listed:
        image = bands.image_of(file)
        if image is None:
            others.append(file)
        else:
            found.setdefault(image, []).append(file)
    return {image: found[image] for image in sorted(found, key=lambda one: one.split("/"))}, others
