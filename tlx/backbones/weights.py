"""Pretrained tensors: fit their names to a backbone, and count what matched.

A checkpoint that silently does not fit trains a random network with normal-looking logs; so below
``ENOUGH`` of the backbone's tensors this stops and says what is missing, what is left over and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
import xxhash
from torch import Tensor, nn

from tlx.backbones.weight_files import State, read, refusal
from tlx.config.errors import ConfigIssue, WeightsError

__all__ = ["State", "read"]  # of the files, for those who go on to fit what they hold
ENOUGH = 0.95
_WRAPPERS = frozenset({"module", "model", "backbone", "encoder", "network", "net", "_orig_mod", "base_model"})
Reader = Callable[[str], State]


@dataclass(frozen=True)
class LoadReport:
    """How a checkpoint fitted a backbone, in tensors."""

    source: str
    matched: int
    total: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def share(self) -> float:
        """Matched tensors over all of the backbone's."""
        return self.matched / self.total if self.total else 1.0


def content(state: Mapping[str, Tensor]) -> str:
    """A hash of tensors, by name, type, shape and bytes: 32 hexadecimal digits."""
    return content_of((name, state[name]) for name in sorted(state))


def content_of(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """:func:`content` of tensors that come one by one, in the order of their names."""
    hashed = xxhash.xxh3_128()
    for name, tensor in tensors:
        tensor = tensor.detach()
        hashed.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        if tensor.numel():
            flat = tensor.cpu().contiguous().as_strided((tensor.numel(),), (1,))  # of one value any stride will do
            hashed.update(flat.view(torch.uint8).numpy().data)
    return hashed.hexdigest()


def strip(state: State, target: Mapping[str, Tensor], prefix: str | None, own: tuple[str, ...] = ()) -> State:
    """Take the prefix off the checkpoint's names. ``None`` takes off what is known to wrap a backbone.

    ``own`` are further wrappers of this architecture, such as ``bert``.
    """
    if prefix is None:
        found = likely_prefix(state, target)
        known = all(word in _WRAPPERS or word in own for word in found.rstrip(".").split("."))
        prefix = found if known else ""
    if not prefix:
        return dict(state)
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def likely_prefix(state: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> str:
    """What most of the checkpoint's names carry before the backbone's."""
    votes: Counter[str] = Counter()
    wanted = set(target)
    for name in state:
        words = name.split(".")
        for cut in range(len(words)):
            if ".".join(words[cut:]) in wanted:
                votes["".join(f"{word}." for word in words[:cut])] += 1
                break
    return votes.most_common(1)[0][0] if votes else ""


def fill(model: nn.Module, state: State, source: str, prefix: str | None) -> LoadReport:
    """Copy every tensor that fits by name and shape into ``model``; raises :class:`WeightsError` below ``ENOUGH``."""
    own = {name: t for name, t in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    good = {name: tensor for name, tensor in state.items() if name in own and tensor.shape == own[name].shape}
    match = LoadReport(
        source=source,
        matched=len(good),
        total=len(own),
        missing=tuple(name for name in own if name not in good),
        unexpected=tuple(name for name in state if name not in model.state_dict()),
    )
    if match.share < ENOUGH:
        raise mismatch(match, own, state, prefix)
    counters = {
        name: t for name, t in state.items() if name.endswith("num_batches_tracked") and name in model.state_dict()
    }
    try:
        model.load_state_dict({**good, **counters}, strict=False)
    except RuntimeError as error:  # numbers of a type that cannot be copied, such as four bits to 32
        raise refusal(source, f"cannot be copied into the backbone: {str(error).splitlines()[-1].strip()}") from error
    return match


def mismatch(match: LoadReport, own: Mapping[str, Tensor], state: State, prefix: str | None) -> WeightsError:
    """The error for too few matching tensors, with the likely reason."""
    problems = [
        ConfigIssue(
            "backbone.weights",
            f"{match.matched} of {match.total} tensors fit ({match.share:.0%}); at least {ENOUGH:.0%} must",
            match.source,
        ),
        ConfigIssue("missing", _some(match.missing)),
        ConfigIssue("unexpected", _some(match.unexpected)),
    ]
    wrong = [name for name in own if name in state and state[name].shape != own[name].shape]
    if wrong:
        sizes = f"{wrong[0]} is {list(state[wrong[0]].shape)} there, {list(own[wrong[0]].shape)} here"
        problems.append(ConfigIssue("shapes", f"{len(wrong)} differ, e.g. {sizes}: another architecture or size?"))
    likely = likely_prefix(state, own)
    if likely and likely != prefix:
        problems.append(ConfigIssue("prefix", f"the names carry {likely!r}; set backbone.weights_prefix={likely}"))
    elif prefix and not state:
        problems.append(ConfigIssue("backbone.weights_prefix", "no tensor name begins with it", prefix))
    return WeightsError(problems)


def _some(names: tuple[str, ...], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more
