"""Linear heads of one shape trained side by side: one product for all that read the same examples.

The rules are those of ``torch.optim`` (AdamW, Adam, SGD), written over a leading dimension of heads, with a rate and a
decay for each. Results agree with heads trained alone up to rounding, as a larger product adds in another order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tlx._compat.devices import onto

Groups = Sequence[tuple[Tensor, int]]  # features [examples, width], and how many heads in a row read them


@dataclass(frozen=True)
class UpdateRule:
    """How a gradient becomes a step; ``momentum`` is of sgd (Nesterov's, as everywhere in tlx)."""

    name: str
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    @staticmethod
    def of(name: str, momentum: float, args: Mapping[str, Any]) -> UpdateRule:
        """From the options of an optimizer that :data:`~tlx.feature_cache.rules.RULES` knows."""
        known = {key: tuple(value) if key == "betas" else float(value) for key, value in args.items()}
        return UpdateRule(name, momentum, **known)  # type: ignore[arg-type]


class BatchedLinear:
    """Weights [heads, outputs, width] and biases [heads, outputs]. The modules' own parameters become views of them."""

    def __init__(self, heads: Sequence[nn.Linear], rule: UpdateRule, decays: Sequence[float]) -> None:
        self.rule = rule
        self.steps = 0
        self._heads = list(heads)
        self._decay = torch.tensor(decays, dtype=heads[0].weight.dtype, device=heads[0].weight.device)
        self._tensors = [
            torch.stack([head.weight.detach() for head in heads]),
            torch.stack([head.bias.detach() for head in heads]),
        ]
        self._memory = [[torch.zeros_like(tensor) for _ in range(2)] for tensor in self._tensors]
        self._point()

    def _point(self) -> None:
        for number, head in enumerate(self._heads):
            head.weight.data, head.bias.data = (tensor[number] for tensor in self._tensors)

    def outputs(self, groups: Groups) -> Tensor:
        """[heads, examples, outputs]."""
        weight, bias = self._tensors
        found, begin = [], 0
        for features, count in groups:
            block = weight[begin : begin + count]
            flat = features @ block.flatten(0, 1).T
            found.append(flat.view(len(features), count, block.shape[1]).transpose(0, 1))
            begin += count
        return torch.cat(found) + bias.unsqueeze(1)

    def step(self, groups: Groups, losses: Callable[[Tensor], Tensor], rates: Sequence[float]) -> Tensor:
        """One optimizer step of every head; returns the losses [heads]."""
        for tensor in self._tensors:
            tensor.requires_grad_(True)
        loss = losses(self.outputs(groups))
        gradients = torch.autograd.grad(loss.sum(), self._tensors)
        self.steps += 1
        rate = onto(torch.tensor(rates, dtype=self._decay.dtype), self._decay.device)
        weight, bias = (tensor.requires_grad_(False) for tensor in self._tensors)
        self._update(weight, gradients[0], self._memory[0], rate.view(-1, 1, 1), self._decay.view(-1, 1, 1))
        self._update(bias, gradients[1], self._memory[1], rate.view(-1, 1), torch.zeros_like(self._decay).view(-1, 1))
        return loss.detach()

    def keep(self, chosen: Sequence[int]) -> None:
        """Go on with these heads alone; the others keep the weights they have."""
        for number, head in enumerate(self._heads):
            if number not in chosen:
                head.weight.data, head.bias.data = (tensor[number].clone() for tensor in self._tensors)
        index = torch.tensor(list(chosen), dtype=torch.long, device=self._decay.device)
        self._heads = [self._heads[number] for number in chosen]
        self._decay = self._decay[index]
        self._tensors = [tensor[index] for tensor in self._tensors]
        self._memory = [[tensor[index] for tensor in pair] for pair in self._memory]
        self._point()

    def _update(self, values: Tensor, gradient: Tensor, memory: list[Tensor], rate: Tensor, decay: Tensor) -> None:
        """The rule, in place. Memory is (mean, square) of Adam's, (velocity, unused) of SGD's."""
        rule, (first, second) = self.rule, memory
        if rule.name == "adamw":
            values.mul_(1 - rate * decay)
        else:
            gradient = gradient + decay * values
        if rule.name == "sgd":
            first.mul_(rule.momentum).add_(gradient)
            values.sub_(rate * (gradient + rule.momentum * first if rule.momentum else gradient))
            return
        one, two = rule.betas
        first.lerp_(gradient, 1 - one)
        second.mul_(two).addcmul_(gradient, gradient, value=1 - two)
        spread = (second.sqrt() / (1 - two**self.steps) ** 0.5).add_(rule.eps)
        values.sub_(rate / (1 - one**self.steps) * (first / spread))
