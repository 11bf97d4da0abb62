"""Prepared images as entries of the store: found by content, made empty, filled by whoever decodes."""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from tlx.columns.image_map import ImageMap
from tlx.feature_cache.cut import NotCacheable
from tlx.feature_cache.entry import Meta
from tlx.feature_cache.store import Store

_SHOWN = {"backbone": "(images)", "split": "all"}  # by ``tlx reuse ls``


class ImageMaps:
    """Opens the maps of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(
        self, facts: Mapping[str, Any], count: int, shape: tuple[int, int, int], is_unchanged: Callable[[int], bool]
    ) -> ImageMap | str:
        """Open a map, which is kept from eviction for as long as somebody holds it, or say why there can be none."""
        text = json.dumps({**facts, "count": count, "shape": shape}, sort_keys=True, default=str)
        key = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]
        try:
            self._make(key, facts, count, shape)
            with ExitStack() as stack:
                folder = stack.enter_context(self._store.reading(key))
                found = ImageMap(folder, count, shape, is_unchanged)
                weakref.finalize(found, stack.pop_all().close)
                return found
        except (NotCacheable, OSError) as reason:  # the store has no room, or is somebody else's
            return str(reason)
        except ValueError as damage:
            self._store.discard(key)
            return str(damage)

    def _make(self, key: str, facts: Mapping[str, Any], count: int, shape: tuple[int, int, int]) -> None:
        if self._store.has(key):
            return
        with self._store.filling([key]) as missing:
            if not missing:  # another process was quicker
                return
            size = ImageMap.size(count, shape)
            self._store.make_room(size)
            folder = self._store.aside(key)
            try:
                ImageMap.create(folder, count, shape)
                site = f"{shape[1]} x {shape[2]}"
                meta = Meta({**facts, **_SHOWN, "site": site}, (), [], rows=count, bytes=size, seconds=0.0)
                self._store.publish(key, folder, meta)
            finally:
                self._store.drop(folder)
