"""Bottleneck adapters: their formula, and finding the features of any block's output."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.backbones import bare
from tests.strategies.test_adapters import batch, build, insert, shaken
from tlx.backbones.partition.stages import stages
from tlx.config.errors import ConfigError
from tlx.config.strategy_parts import Peft
from tlx.strategies.freezing import freeze
from tlx.strategies.peft import adapters
from tlx.strategies.peft.bottleneck import Bottleneck


class Pair(nn.Module):
    """A block with two outputs, the first of them the features."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(5, 5, 3, padding=1)

    def forward(self, both: Tensor | tuple[Tensor, int]) -> tuple[Tensor, int]:
        """Features and a count to features and a count."""
        x, count = both if isinstance(both, tuple) else (both, 0)
        return self.conv(x), count + 1


class Pairs(nn.Module):
    """A convolutional network of such blocks, and of blocks that are sequences."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 5, 1)
        self.blocks = nn.Sequential(Pair(), Pair())
        self.tail = nn.Sequential(*(nn.Sequential(nn.Conv2d(5, 5, 1), nn.ReLU()) for _ in range(2)))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 2, height, width] to [batch, 5]."""
        both = self.blocks(self.stem(x))
        assert isinstance(both, tuple)
        assert both[1] == 2
        features: Tensor = self.tail(both[0]).mean((2, 3))
        return features


class Branches(Pairs):
    """A network whose blocks put out lists."""

    def forward(self, x: Tensor) -> Tensor:
        """As before, with a list in between."""
        features: Tensor = self.blocks([self.stem(x)])
        return features


def attached(model: nn.Module) -> dict[str, Bottleneck]:
    end = ".bottleneck_adapter"
    return {path.removesuffix(end): m for path, m in model.named_modules() if isinstance(m, Bottleneck)}


@pytest.mark.parametrize("dim", [-1, 1])
def test_it_is_x_plus_up_of_gelu_of_down(dim: int) -> None:
    torch.manual_seed(0)
    adapter = Bottleneck(6, 2, dim)
    x = torch.randn(2, 6, 6, 6)
    assert torch.equal(adapter(x), x)
    nn.init.normal_(adapter.up.weight)
    nn.init.normal_(adapter.up.bias)
    expected = x.clone()
    for index in torch.cartesian_prod(torch.arange(2), torch.arange(6), torch.arange(6)).tolist():
        place = (index[0], slice(None), *index[1:]) if dim == 1 else (*index, slice(None))
        hidden = F.gelu(adapter.down.weight @ x[place] + adapter.down.bias)
        expected[place] += adapter.up.weight @ hidden + adapter.up.bias
    torch.testing.assert_close(adapter(x), expected)


@pytest.mark.parametrize(
    ("name", "dim"), [("cnn", 1), ("convnext", 1), ("vit", -1), ("swin", -1), ("bert", -1), ("gpt2", -1)]
)
def test_one_after_each_block_along_its_features(name: str, dim: int) -> None:
    model, widths = build(name), {}
    insert(model, "bottleneck", rank=4)
    for path in attached(model):
        model.get_submodule(path).register_forward_hook(lambda _, __, y, path=path: widths.update({path: y.shape[dim]}))
    model(batch(name))
    assert {path: adapter.down.in_features for path, adapter in attached(model).items()} == widths
    assert {adapter.dim for adapter in attached(model).values()} == {dim}
    blocks = [stage for stage in stages(build(name)) if stage.name not in ("stem", "neck", "head")]
    assert len(widths) == len(blocks)
    numbers = sum(p.numel() for adapter in attached(model).values() for p in adapter.parameters())
    assert numbers == sum(2 * 4 * width + 4 + width for width in widths.values())


def test_tuples_and_sequences() -> None:
    model = bare.network(Pairs(), 5, 3, bare.images(6, channels=2))
    x = torch.randn(3, 2, 6, 6)
    alone = model({"image": x})
    cut = adapters.insert(model, stages(model), Peft(kind="bottleneck", rank=2))
    assert [path for path, _ in model.named_modules() if path.endswith("bottleneck_adapter")] == [
        "backbone.blocks.0.bottleneck_adapter",
        "backbone.blocks.1.bottleneck_adapter",
        "backbone.tail.1.1.bottleneck_adapter",
    ]
    assert "backbone.tail.1.1.bottleneck_adapter.up.bias" in cut[-2].names  # both of the tail are one stage
    assert torch.equal(model({"image": x}), alone)
    assert not torch.allclose(shaken(model)({"image": x}), alone)


def test_blocks_without_one_output_are_refused() -> None:
    model = bare.network(Branches(), 5, 3, bare.images(6, channels=2))
    with pytest.raises(ConfigError, match=r"strategy\.peft\.kind = bottleneck +blocks.0 has no single output"):
        adapters.insert(model, stages(model), Peft(kind="bottleneck"))


def test_a_target_names_the_places() -> None:
    model = build("vit")
    insert(model, "bottleneck", target=[r"^blocks\.[02]$", r"blocks\.1\.mlp"])
    assert set(attached(model)) == {"backbone.blocks.0", "backbone.blocks.2", "backbone.blocks.1.mlp"}
    with pytest.raises(ConfigError, match="finds no module of this backbone"):
        insert(build("vit"), "bottleneck", target=["nothing_here"])


def test_images_of_another_size_and_number_of_channels() -> None:
    backbone = timm.create_model("test_vit", num_classes=0, img_size=48, in_chans=2)
    model = bare.network(backbone, 64, 3, bare.images(48, channels=2))
    adapters.insert(model, stages(model), Peft(kind="bottleneck"))
    assert model({"image": torch.randn(1, 2, 48, 48)}).shape == (1, 3)


def test_its_dropout_drops_while_training() -> None:
    model, data = build("vit"), batch("vit")
    insert(model, "bottleneck", dropout=0.5)
    freeze(shaken(model), adapters.names(model))
    assert not torch.equal(model(data), model(data))
