"""A model that answers strangers: within limits, one request at a time, and only with numbers."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

from tlx.columns.input_spec import ImageSpec
from tlx.serving import inputs
from tlx.serving.inputs import InvalidInput
from tlx.serving.limits import Limits
from tlx.serving.model import Model


class Answerer:
    """Turns what was sent into answers; every refusal is one :class:`InvalidInput`."""

    def __init__(self, model: Model, limits: Limits) -> None:
        self.limits = limits
        self.column = model.column.kind  # "image" or "text"
        self._model = model
        self._alone = threading.Lock()  # one request's pictures in memory, and the network's threads for one

    def answer(self, values: Sequence[Any]) -> list[dict[str, Any]]:
        """``prediction`` and ``probabilities`` for each value.

        Args:
            values: Images in base64, or texts.

        Returns:
            One answer per value, in order.

        Raises:
            Unusable: Rows are none of these, the request is over the limits, or the network gives no numbers.
        """
        self._count(values)
        with self._alone:
            spec = self._model.spec
            samples = self._images(values, spec) if isinstance(spec, ImageSpec) else self._texts(values)
            found = self._model.predict(samples)
        inputs.checked(found, _numbers)
        return found

    def _count(self, values: Sequence[Any]) -> None:
        if len(values) > self.limits.rows:
            raise InvalidInput(f"{len(values):,} rows; at most {self.limits.rows:,} are answered at once")
        size = sum(len(value) for value in values if isinstance(value, (str, bytes)))
        if size > self.limits.bytes:
            raise InvalidInput(f"{size:,} bytes; at most {self.limits.bytes:,} are read at once")

    def _images(self, values: Sequence[Any], spec: ImageSpec) -> list[Any]:
        """Headers of all first, as they say what the rest would cost; then decoded one by one."""
        contents = inputs.checked(values, lambda value: inputs.payload(value, self.limits))
        pixels = inputs.checked(contents, lambda content: inputs.measured(content, self.limits, spec))
        self._total(sum(pixels), self.limits.total_pixels, "pixels in all pictures, as sent or as resized")
        self._total(len(pixels) * spec.height * spec.width, self.limits.total_pixels, "pixels for the network to see")
        return inputs.checked(contents, self._prepared)

    def _prepared(self, content: bytes) -> Any:
        values = inputs.decoded(content, self.limits)
        try:
            return self._model.sample(values, inputs.drawing(self.limits))
        except ValueError as error:  # colours that the network does not read
            raise InvalidInput(str(error)) from None

    def _texts(self, values: Sequence[Any]) -> list[Any]:
        texts = inputs.checked(values, lambda value: inputs.text(value, self.limits))
        self._total(sum(map(len, texts)), self.limits.total_letters, "letters in all texts")
        return inputs.checked([self._model.sample(text) for text in texts], _tokens)

    def _total(self, found: int, most: int, what: str) -> None:
        if found > most:
            raise InvalidInput(f"{found:,} {what}; at most {most:,} are read at once: send fewer rows")


def _tokens(sample: list[int]) -> list[int]:
    if not sample:
        raise InvalidInput("holds nothing that the model's tokenizer knows")
    return sample


def _numbers(answer: dict[str, Any]) -> None:
    found = answer.get("probabilities", answer["prediction"])
    if not all(math.isfinite(value) for value in (found.values() if isinstance(found, dict) else [found])):
        raise InvalidInput("the network gives no number for it")
