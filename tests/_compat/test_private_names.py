"""Names that libraries keep for themselves are used in ``tlx/_compat`` alone, and do there what tlx takes them for."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import MISSING, OmegaConf
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

import tlx
from tlx._compat import config_nodes, fake_tensors, hydra_parts, maps, norms, operations, pytree, tensors
from tlx._compat.loop_counters import set_loop_counters

ROOT = Path(tlx.__file__).parent
OUTSIDE = sorted(path for path in ROOT.rglob("*.py") if "_compat" not in path.parts)


def is_private(name: str) -> bool:
    """``_name`` but not ``__name__``."""
    return name.startswith("_") and not name.endswith("__")


def private_names(path: Path) -> list[str]:
    """Private names of others that a file imports, or asks of what is not its own."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_self(node.value)}
    own |= {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    own |= {"_exit"}  # of os, and public
    own |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}  # fields of its own classes
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] not in ("tlx", "__future__"):
            parts = [*node.module.split("."), *(alias.name for alias in node.names)]
            found += [f"{node.lineno}: {node.module}" for part in parts if is_private(part)]
        elif isinstance(node, ast.Import):
            found += [f"{node.lineno}: {a.name}" for a in node.names for p in a.name.split(".") if is_private(p)]
        elif (
            isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own | {"_exit"}
        ):  # the last is public: os._exit
            found.append(f"{node.lineno}: .{node.attr}")
    return found


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(ROOT)))
def test_they_stand_nowhere_else(path: Path) -> None:
    assert private_names(path) == []


@dataclass
class Numbers:
    """A list of numbers."""

    some: list[int] = field(default_factory=list)


def test_nodes_of_a_configuration() -> None:
    config = OmegaConf.create({"a": None, "b": MISSING, "c": "${a}", "d": [1], "e": {"f": 2}})
    nodes = {key: config_nodes.node_at(config, key) for key in "abcde"}
    assert [config_nodes.is_none(nodes[key]) for key in "abcde"] == [True, False, False, False, False]
    assert [config_nodes.is_missing(nodes[key]) for key in "abcde"] == [False, True, False, False, False]
    assert [config_nodes.is_interpolation(nodes[key]) for key in "abcde"] == [False, False, True, False, False]
    assert all(config_nodes.is_optional(node) for node in nodes.values())
    assert config_nodes.node_at(config, "nothing") is None
    assert config_nodes.node_at(nodes["d"], 0)._value() == 1
    assert config_nodes.element_type(OmegaConf.structured(Numbers).some) is int
    assert config_nodes.element_type(nodes["d"]) is Any


def test_words_of_a_sweep() -> None:
    parsed = OverridesParser.create().parse_overrides(["a=1,2", "b=x", "c=range(0,2)"])
    assert hydra_parts.combinations(parsed) == [
        ["a=1", "b=x", "c=0"],
        ["a=1", "b=x", "c=1"],
        ["a=2", "b=x", "c=0"],
        ["a=2", "b=x", "c=1"],
    ]


def test_files_of_hydra(tmp_path: Path) -> None:
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "one.yaml").write_text("key: 1\n")
    source = hydra_parts.FileConfigSource(provider="mine", path=f"file://{tmp_path}")
    assert source.available()
    assert source.list("group", None) == ["one"]
    assert source.load_config("group/one").config == {"key": 1}
    assert hydra_parts.header("# @package _global_\nkey: 1\n") == {"package": "_global_"}


class Line(LightningModule):
    """A line; nothing is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(1, 1)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        """The square of what it gives."""
        loss: Tensor = self.line(batch).square().mean()
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The simplest."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trainer(epochs: int) -> Trainer:
    """A trainer that leaves nothing."""
    return Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def test_counters_are_those_of_a_trainer_that_ran_so_far(folder: Path) -> None:
    batches: DataLoader[Tensor] = DataLoader(torch.ones(6, 1), batch_size=2)  # type: ignore[arg-type]
    ran, told = trainer(2), trainer(3)
    ran.fit(Line(), batches)
    set_loop_counters(told, 2, 6)
    assert (told.current_epoch, told.global_step) == (ran.current_epoch, ran.global_step) == (2, 6)
    assert told.fit_loop.epoch_loop._batches_that_stepped == ran.fit_loop.epoch_loop._batches_that_stepped
    seen = []
    line = Line()
    line.on_train_batch_start = lambda batch, index: seen.append(told.global_step)  # type: ignore[assignment]
    told.fit(line, batches)
    assert seen == [6, 7, 8]  # the third epoch alone
    assert (told.current_epoch, told.global_step) == (3, 9)


def test_norms() -> None:
    for norm in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm):
        assert issubclass(norm, norms.BatchNorm)
    assert all(issubclass(norm, norms.NormBase) for norm in (nn.BatchNorm2d, nn.InstanceNorm2d))
    assert not issubclass(nn.LayerNorm, norms.NormBase)


def test_many_tensors_at_once() -> None:
    means, values = [torch.zeros(2), torch.ones(3)], [torch.ones(2), torch.zeros(3)]
    before = [tensors.version(mean) for mean in means]
    tensors.lerp_(means, values, 0.25)
    assert [mean.tolist() for mean in means] == [[0.25] * 2, [0.75] * 3]
    assert [tensors.version(mean) for mean in means] == [count + 1 for count in before]


class Seen(fake_tensors.TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every operation."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run it."""
        output = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, output))
        return output


def test_operations() -> None:
    with Seen() as seen:
        product = torch.ones(2, 3) @ torch.ones(3, 4)
        product.add_(1).view(-1)
        product[0, 0].item()
    calls = {call[0].name(): call for call in seen.calls}
    assert operations.flops(*calls["aten::mm"]) == 2 * 2 * 3 * 4
    assert operations.flops(*calls["aten::add_.Tensor"]) == 0
    assert operations.is_mutable(calls["aten::add_.Tensor"][0])
    assert not operations.is_mutable(calls["aten::mm"][0])
    assert any(call[0] is operations.READS_A_NUMBER for call in seen.calls)
    func, args, kwargs, _ = calls["aten::add_.Tensor"]
    assert operations.argument(func, "alpha", args, kwargs) == 1  # its default
    assert operations.argument(func, "alpha", args, {"alpha": 3}) == 3
    assert operations.argument(func, "self", args, kwargs).data_ptr() == product.data_ptr()
    assert operations.argument(func, "nothing", args, kwargs) is None
    assert operations.storage_of(product) == operations.storage_of(product[1:]) != operations.storage_of(product + 1)


def test_pages_are_read_again(folder: Path) -> None:
    np.arange(4096, dtype=np.float32).tofile("numbers")
    numbers = np.memmap("numbers", np.float32, "r")
    assert float(numbers[7]) == 7.0
    maps.forget_pages(numbers)
    assert float(numbers[7]) == 7.0


def test_trees_of_values() -> None:
    tree = {"a": [torch.zeros(1), 2], "b": (None,)}
    leaves, spec = pytree.tree_flatten(tree)
    assert pytree.tree_unflatten(leaves, spec) == tree
    assert pytree.tree_leaves(tree) == leaves
    assert pytree.tree_map(lambda leaf: 0, [1, {"c": 2}]) == [0, {"c": 0}]


def test_shapes_alone() -> None:
    model = nn.Linear(3, 4)

    with fake_tensors.FakeTensorMode(), Seen() as seen, fake_tensors.fake_parameters(model):
        given = model(fake_tensors.fake(torch.zeros(2, 3)))
    assert isinstance(given, fake_tensors.FakeTensor)
    assert given.shape == (2, 4)
    assert seen.calls
    assert not isinstance(model.weight, fake_tensors.FakeTensor)
