"""How values are looked at and read: what passes between a column and those who ask it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from tlx.config.augmentation import Step
from tlx.config.dataset_parts import Limits

if TYPE_CHECKING:  # torch: who only looks at data needs none
    from tlx.columns.input_spec import InputSpec

Role = Literal["input", "target", "group", "time", "weight", "id"]
META: tuple[Role, ...] = ("group", "time", "weight", "id")  # neither read by a network nor predicted
Indices = npt.NDArray[np.int64]
Item = tuple[int, int]  # (epoch, position among the split's examples)
PLAIN = -1  # the epoch of an example without augmentation
Values = Sequence[Any] | npt.NDArray[Any]
DEFAULT = Limits()


@dataclass(frozen=True)
class Strata:
    """What splits are stratified by, and what shots are counted of: a number for each value, and what it stands for."""

    codes: npt.NDArray[np.int64]  # [examples]
    names: Sequence[str]
    what: str = "class"
    hint: str = ""  # where there are so many that something else may be meant


@dataclass(frozen=True)
class Reading:
    """How the values of a split are read for a network.

    Args:
        spec: What the network expects of the column; None for what is not fed to the backbone.
        augmentation: What is random in training.
        seed: Of it.
        views: With a number, the augmentations of that many epochs come again and again.
        limits: The most that is read of one value.
        memory: Bytes that prepared values may take to be kept.
        steps: Of the augmentation, where it has several.
        images: Opens the prepared images that trials share.
    """

    spec: InputSpec | None = None
    augmentation: str = "none"
    seed: int = 0
    views: int = 0
    limits: Limits = field(default_factory=Limits)
    memory: int = 0
    steps: tuple[Step, ...] = ()
    images: OpenImages | None = None


class OpenImages(Protocol):
    """Opens what trials share of the images of a column."""

    def __call__(self, column: Any, spec: Any) -> Any:
        """The ``ImageMap`` of a column as a backbone's ``spec`` has its images; None where nothing is shared."""


@dataclass
class Inspection:
    """A look at values before training: what is known of the data, and what is found out."""

    limits: Limits
    fingerprint: str
    origin: Callable[[int], str]  # where an example is from
    notes: list[str] = field(default_factory=list)
    contents: Sequence[str] = ()  # a hash of each value's, where they are files
    seen: dict[int, Any] = field(default_factory=dict)  # what a column wants to know of its values later, by example


class Readable(Protocol):
    """A column, as those who read its values need it."""

    def read(self, value: Any, limits: Limits = DEFAULT) -> Any:
        """The canonical value."""

    def prepare(self, value: Any, reading: Reading) -> Any:
        """A canonical value as a network reads it."""

    def collate(self, prepared: Values, reading: Reading) -> Any:
        """Prepared values as a batch."""

    def settings(self) -> dict[str, Any]:
        """All there is to know of the column."""


class Reader(Protocol):
    """The values of a split, ready to be batched."""

    @property
    def is_ready(self) -> bool:
        """Is nothing left to do but to look a value up?"""

    @property
    def is_light(self) -> bool:
        """Is it cheap enough to come along where a kept result stands for what the backbone makes of it?"""

    def take(self, items: Sequence[Item]) -> Any:
        """The values of (epoch, position) items as one batch: a tensor, or tensors by the name of an argument."""

    def facts(self) -> Mapping[str, Any]:
        """What the bits depend on beside the data themselves, for the key of what is kept of them."""
