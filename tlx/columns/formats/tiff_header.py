"""The headers of TIFF files: what their pages hold, and whether that is all there, before anything is decoded."""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from typing import IO

_MOST_TAGS, _MOST_PAGES, _MOST_PARTS = 4096, 65535, 1 << 22  # of a page, of a file, of a page
_FAR = 1 << 62  # beyond the end of any file, but a place that the system knows
_TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIPS, _ORIENTATION, _SAMPLES, _ROWS, _STRIP_BYTES, _PLANAR, _PREDICTOR = 273, 274, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_LENGTH, _TILES, _TILE_BYTES, _EXTRA, _FORMAT = 322, 323, 324, 325, 338, 339
_KIND, _OLD_KIND, _DEPTH, _SUBSAMPLING = 254, 255, 32997, 530
_WANTED = {_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _STRIPS, _ORIENTATION, _SAMPLES, _ROWS}
_WANTED |= {_STRIP_BYTES, _PLANAR, _PREDICTOR, _TILE_WIDTH, _TILE_LENGTH, _TILES, _TILE_BYTES, _EXTRA, _FORMAT}
_WANTED |= {_KIND, _OLD_KIND, _DEPTH, _SUBSAMPLING}


class NotTiff(ValueError):
    """A file does not begin as TIFF files do."""


@dataclass(frozen=True)
class Page:
    """One picture of a file.

    Args:
        index: Of the page in the file, from 0 on, smaller copies and masks counted.
        order: Of its bytes: ``<`` or ``>``.
        big: The file is a BigTIFF.
        height, width, samples: Of it; samples are all channels.
        bits: Of each sample.
        kind: Of numbers: 1 unsigned, 2 signed, 3 floating point; others are no real numbers.
        photometric: 0 white is zero, 1 black is zero, 2 colours, 3 a palette, 5 inks, 6 YCbCr, 8 CIELAB, ...
        compression, predictor, fill: Codes of how it is packed.
        planar: One channel after the other, rather than pixel by pixel.
        extra: What samples beyond the colours are: 0 not said, 1 premultiplied alpha, 2 alpha.
        orientation: From 1 (upright) to 8, as EXIF has it.
        block: Height and width of the strips or tiles it is cut into.
        tiled: Into tiles, which may reach beyond its edges.
        offsets, lengths: Where each of them is, and how many bytes it takes; 0 and 0: it was left out.
    """

    index: int
    order: str
    big: bool
    height: int
    width: int
    samples: int
    bits: int
    kind: int
    photometric: int
    compression: int
    predictor: int
    fill: int
    planar: bool
    extra: tuple[int, ...]
    orientation: int
    block: tuple[int, int]
    tiled: bool
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]

    def look(self, there: int) -> None:
        """See that all its parts lie within the file.

        Args:
            there: Bytes of the file.

        Raises:
            ValueError: Some do not, or there are too few.
        """
        high, wide = self.block
        blocks = math.ceil(self.height / high) * math.ceil(self.width / wide) * (self.samples if self.planar else 1)
        if not len(self.offsets) == len(self.lengths) == blocks:
            found = f"{len(self.offsets):,} places and {len(self.lengths):,} lengths"
            raise ValueError(f"should be in {blocks:,} parts, but has {found}")
        last = max(offset + length for offset, length in zip(self.offsets, self.lengths, strict=True))
        if last > there:
            raise ValueError(f"claims {last:,} bytes, but holds {there:,}")
        if self.compression == 1 and all(self.lengths):
            row = math.ceil(wide * (1 if self.planar else self.samples) * self.bits / 8)
            rows = high * blocks if self.tiled else self.height * (self.samples if self.planar else 1)
            if sum(self.lengths) < row * rows:
                raise ValueError(f"needs {row * rows:,} bytes of pixels, but has {sum(self.lengths):,}")


def pages(stream: IO[bytes]) -> list[Page]:
    """The pictures of a file: smaller copies of them, thumbnails and masks are left out.

    Raises:
        NotTiff: It is no TIFF file.
        ValueError: Its headers make no sense, or reach beyond its end.
    """
    there = os.fstat(stream.fileno()).st_size
    order = {b"II": "<", b"MM": ">"}.get(stream.read(2), "")
    start = stream.read(6)
    if not order or len(start) < 6 or (version := struct.unpack(order + "H", start[:2])[0]) not in (42, 43):
        raise NotTiff("it does not begin as TIFF files do")
    big = version == 43
    at = _unpacked(stream, 8, order + "Q")[0] if big else struct.unpack(order + "I", start[2:])[0]
    found, seen = [], set[int]()
    while at and len(seen) < _MOST_PAGES:
        if at in seen:
            raise ValueError("its pages go round in a circle")
        seen.add(at)
        tags, at = _tags(stream, at, order, big, there)
        if not _is_copy(tags):
            found.append(_page(tags, len(seen) - 1, order, big))
    if not found:
        raise ValueError("holds no pages")
    return found


def _tags(stream: IO[bytes], at: int, order: str, big: bool, there: int) -> tuple[dict[int, tuple[int, ...]], int]:
    """The tags of a page that are asked for here, and where the next page begins."""
    count = _unpacked(stream, at, order + ("Q" if big else "H"))[0]
    if not 0 < count <= _MOST_TAGS:
        raise ValueError(f"a page with {count:,} tags")
    entry, inline = (20, 8) if big else (12, 4)
    first = at + (8 if big else 2)
    stream.seek(min(first, _FAR))
    block = stream.read(count * entry)
    if len(block) < count * entry:
        raise ValueError("ends within the header of a page")
    known: dict[int, tuple[int, ...]] = {}
    for i in range(0, len(block), entry):
        tag, kind, number = struct.unpack_from(order + ("HHQ" if big else "HHI"), block, i)
        if tag not in _WANTED or kind not in _TYPES or not number:
            continue
        layout = f"{order}{number}{_TYPES[kind]}"
        length = number * struct.calcsize(order + _TYPES[kind])
        where = i + entry - inline
        if length <= inline:
            known[tag] = struct.unpack_from(layout, block, where)
            continue
        offset = struct.unpack_from(order + ("Q" if big else "I"), block, where)[0]
        if number > _MOST_PARTS or offset + length > there:
            raise ValueError(f"its tag {tag} has {number:,} values: too many, or beyond the end of the file")
        known[tag] = _unpacked(stream, offset, layout)
    return known, _unpacked(stream, first + count * entry, order + ("Q" if big else "I"))[0]


def _unpacked(stream: IO[bytes], at: int, layout: str) -> tuple[int, ...]:
    stream.seek(min(at, _FAR))
    found = stream.read(struct.calcsize(layout))
    if len(found) < struct.calcsize(layout):
        raise ValueError("ends within a header")
    return struct.unpack(layout, found)


def _is_copy(tags: dict[int, tuple[int, ...]]) -> bool:
    """Is a page a smaller copy of another one (bit 0), or a mask (bit 2)?"""
    return bool(tags.get(_KIND, (0,))[0] & 5) or tags.get(_OLD_KIND, (0,))[0] == 2


def _page(tags: dict[int, tuple[int, ...]], index: int, order: str, big: bool) -> Page:
    def one(tag: int, otherwise: int) -> int:
        return tags.get(tag, (otherwise,))[0]

    height, width, samples = one(_LENGTH, 0), one(_WIDTH, 0), one(_SAMPLES, 1)
    if height < 1 or width < 1 or samples < 1:
        raise ValueError(f"an image without pixels: {[height, width, samples]}")
    if one(_DEPTH, 1) != 1:
        raise ValueError(f"a page of {one(_DEPTH, 1):,} layers; expected one")
    tiled = _TILE_WIDTH in tags
    block = (one(_TILE_LENGTH, 0), one(_TILE_WIDTH, 0)) if tiled else (min(one(_ROWS, height), height), width)
    if min(block) < 1:
        raise ValueError(f"is cut into parts of {block[1]} x {block[0]} pixels")
    bits, kinds = tags.get(_BITS, (1,)), tags.get(_FORMAT, (1,))
    if len(set(bits[:samples])) > 1 or len(set(kinds[:samples])) > 1:
        raise ValueError(f"its channels are of several types: {list(bits[:8])} bits of kinds {list(kinds[:8])}")
    return Page(
        index=index,
        order=order,
        big=big,
        height=height,
        width=width,
        samples=samples,
        bits=bits[0],
        kind=kinds[0],
        photometric=one(_PHOTOMETRIC, 1),
        compression=one(_COMPRESSION, 1),
        predictor=one(_PREDICTOR, 1),
        fill=one(_FILL_ORDER, 1),
        planar=one(_PLANAR, 1) == 2 and samples > 1,
        extra=tags.get(_EXTRA, ()),
        orientation=one(_ORIENTATION, 1),
        block=block,
        tiled=tiled,
        offsets=tags.get(_TILES if tiled else _STRIPS, tags.get(_STRIPS, ())),
        lengths=tags.get(_TILE_BYTES if tiled else _STRIP_BYTES, tags.get(_STRIP_BYTES, ())),
    )
