"""LoRA, DoRA and (IA)³ against closed forms; where they go, where they cannot, and the traps of the library."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from tests.backbones import bare
from tests.strategies.test_adapters import batch, build, insert, shaken, train
from tlx.backbones.partition.stages import stages
from tlx.config.errors import ConfigError
from tlx.config.strategy_parts import Peft
from tlx.strategies.freezing import freeze
from tlx.strategies.peft import adapters

RANK, SCALE = 4, 16.0 / 4


class Net(nn.Module):
    """A stem, two blocks of ``parts`` and a neck."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 6)
        self.blocks = nn.Sequential(nn.Sequential(*parts), nn.Sequential(nn.Linear(6, 6), nn.ReLU()))
        self.norm = nn.LayerNorm(6)

    def forward(self, x: Tensor) -> Tensor:
        """Features of any shape to features of the same shape."""
        out: Tensor = self.norm(self.blocks(self.stem(x)))
        return out


class Attention(nn.Module):
    """Attention by torch's own module."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, tokens, 6] to the same."""
        out: Tensor = self.inner(x, x, x, need_weights=False)[0]
        return out


def put_into(backbone: nn.Module, kind: str = "lora", **options: Any) -> nn.Module:
    model = bare.network(backbone, 6, 3).eval()
    torch.manual_seed(5)
    adapters.insert(model, stages(model), Peft(**{"kind": kind, "rank": RANK, **options}))
    return model


def adapted(model: nn.Module) -> list[str]:
    """Paths of the replaced layers, within the backbone."""
    return [path.removeprefix("backbone.") for path, m in model.named_modules() if "base_layer" in m._modules]


def numbers(model: nn.Module) -> int:
    own = dict(model.named_parameters())
    return sum(own[name].numel() for name in adapters.names(model))


@pytest.mark.parametrize("name", ["cnn", "vit", "convnext", "swin", "bert", "gpt2"])
def test_as_many_parameters_as_the_formula_says(name: str) -> None:
    blank, model = build(name).get_submodule("backbone"), build(name)
    insert(model, "lora", rank=RANK)
    expected = 0
    for path in adapted(model):
        weight = blank.get_submodule(path).weight
        assert isinstance(weight, Tensor)
        outputs, inputs, *kernel = weight.shape  # of GPT-2's layers the other way round: the sum is the same
        expected += RANK * (inputs * torch.Size(kernel).numel() + outputs)
    assert numbers(model) == expected > 0
    blocks = [stage for stage in stages(build(name)) if stage.name not in ("stem", "neck", "head")]
    weights = [n for stage in blocks for n in stage.names if n.endswith(".weight")]
    own = dict(build(name).named_parameters())
    plain = {n for n in weights if own[n].ndim in (2, 4) and "embedding" not in n}
    grouped = {n for n in plain if own[n].ndim == 4 and own[n].shape[1] == 1}
    tables = {n for n in plain if "relative_position_bias_table" in n}
    assert {f"backbone.{path}.weight" for path in adapted(model)} == plain - grouped - tables


def test_lora_is_w_plus_b_a_on_a_linear_layer() -> None:
    model = shaken(put_into(Net(nn.Linear(6, 6))))
    layer: Any = model.get_submodule("backbone.blocks.0.0")
    x, w = torch.randn(5, 6), layer.base_layer.weight
    whole = w + SCALE * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    torch.testing.assert_close(layer(x), nn.functional.linear(x, whole, layer.base_layer.bias))
    adapters.merge(model)
    torch.testing.assert_close(model.get_submodule("backbone.blocks.0.0").weight, whole)


def test_lora_is_w_plus_b_a_on_a_convolution() -> None:
    model = build("cnn")
    insert(model, "lora", rank=RANK)
    layer: Any = shaken(model).get_submodule("backbone.layer2.0.conv1")
    base = layer.base_layer
    assert base.stride == (2, 2)
    change = torch.einsum("or,rikl->oikl", layer.lora_B["default"].weight[..., 0, 0], layer.lora_A["default"].weight)
    x = torch.randn(2, base.in_channels, 9, 9)
    expected = nn.functional.conv2d(x, base.weight + SCALE * change, base.bias, base.stride, base.padding)
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "path"), [("vit", "blocks.0.mlp.fc1"), ("cnn", "layer1.0.conv2")])
def test_dora_is_a_length_times_a_direction(name: str, path: str) -> None:
    model = build(name)
    insert(model, "dora", rank=RANK)
    layer: Any = shaken(model).get_submodule(f"backbone.{path}")
    w, a, b = layer.base_layer.weight, layer.lora_A["default"].weight, layer.lora_B["default"].weight
    change = (b.flatten(1) @ a.flatten(1)).view_as(w)
    direction = (w + SCALE * change).flatten(1)
    length = layer.lora_magnitude_vector["default"].weight.flatten()
    expected = (length[:, None] * direction / direction.norm(dim=1, keepdim=True)).view_as(w)
    adapters.merge(model)
    torch.testing.assert_close(model.get_submodule(f"backbone.{path}").weight, expected)


@pytest.mark.parametrize(
    ("name", "outputs", "inputs"),
    [
        ("bert", ["attention.self.key", "attention.self.value"], ["output.dense"]),
        ("roberta", ["attention.self.key", "attention.self.value"], ["output.dense"]),
        ("distilbert", ["attention.k_lin", "attention.v_lin"], ["ffn.lin2"]),
        ("vit", ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"], []),
        ("gpt2", ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"], []),
    ],
)
def test_ia3_scales_what_the_paper_says_where_it_can_be_told(name: str, outputs: list[str], inputs: list[str]) -> None:
    model = build(name)
    insert(model, "ia3")
    found: dict[bool, set[str]] = {False: set(), True: set()}
    for path in adapted(model):
        layer: Any = model.get_submodule(f"backbone.{path}")
        found[layer.is_feedforward].add(next(end for end in outputs + inputs if path.endswith(f".{end}")))
        base = layer.base_layer
        size = base.weight.shape[1] if layer.is_feedforward or name == "gpt2" else base.weight.shape[0]
        assert layer.ia3_l["default"].numel() == size
    assert found == {False: set(outputs), True: set(inputs)}
    assert not any("attention.output" in path for path in adapted(model))


def test_ia3_scales_everything_where_some_projections_are_fused() -> None:
    """As in CaiT, whose last blocks alone have keys and values of their own."""
    parts = nn.ModuleDict({name: nn.Linear(6, 6) for name in ("qkv", "k", "v", "fc2")})
    model = put_into(Net(nn.Sequential(OrderedDict(parts.items()))), "ia3")
    assert {path.rpartition(".")[2] for path in adapted(model)} >= {"qkv", "k", "v", "fc2"}
    assert not any(getattr(layer, "is_feedforward", False) for layer in model.modules())


def test_a_target_is_looked_for_in_module_names() -> None:
    model = build("vit")
    insert(model, "lora", target=[r"blocks\.[01]\.attn", r"fc2$"])
    depth = len(build("vit").get_submodule("backbone.blocks"))  # type: ignore[arg-type]
    attention = {f"blocks.{i}.attn.{part}" for i in (0, 1) for part in ("qkv", "proj")}
    assert set(adapted(model)) == attention | {f"blocks.{i}.mlp.fc2" for i in range(depth)}


def test_a_target_may_lie_outside_the_blocks_but_only_where_it_says() -> None:
    model = put_into(Net(nn.Linear(6, 6)), target=["^stem$"])
    assert adapted(model) == ["stem"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nothing_here", "finds no linear layer or convolution of this backbone"),
        ("norm", "finds no linear layer or convolution of this backbone"),
        ("blocks.(", "not a regular expression"),
    ],
)
def test_a_target_that_finds_nothing(target: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        insert(build("vit"), "lora", target=[target, "qkv"])
    (problem,) = caught.value.problems
    assert (problem.key, problem.value) == ("strategy.peft.target", target)
    assert message in problem.message


@pytest.mark.parametrize(
    ("part", "target", "reason"),
    [
        (nn.Conv2d(6, 6, 3, padding=1, groups=2), "blocks.0.0", "it is grouped"),
        (nn.Conv2d(6, 6, 3, padding=2, dilation=2), "blocks.0.0", "it is dilated"),
        (nn.Conv2d(6, 6, 3, padding=1, padding_mode="reflect"), "blocks.0.0", "does not pad with zeros"),
        (timm.layers.ScaledStdConv2d(6, 6, 3), "blocks.0.0", "not a plain convolution"),
        (Attention(), "out_proj", "uses what is inside instead of calling it"),
    ],
)
def test_layers_that_would_go_wrong_are_left_out_or_refused(part: nn.Module, target: str, reason: str) -> None:
    model = put_into(Net(part))
    assert adapted(model) == ["blocks.1.0"]
    with pytest.raises(ConfigError, match=reason) as caught:
        put_into(Net(part), target=[target])
    assert caught.value.problems[0].key == "strategy.peft.target"


def test_ia3_can_scale_a_grouped_convolution() -> None:
    torch.manual_seed(0)
    model = put_into(timm.create_model("test_efficientnet", num_classes=0), "ia3", target=["conv_dw$"])
    x = torch.randn(2, 3, 64, 64)
    trained = shaken(model).get_submodule("backbone")(x)
    torch.testing.assert_close(adapters.merge(model).get_submodule("backbone")(x), trained, atol=1e-5, rtol=1e-5)


def test_tied_weights_are_left_alone() -> None:
    net = Net(nn.Linear(6, 6))
    net.get_submodule("blocks.1.0").weight = net.get_submodule("blocks.0.0").weight
    with pytest.raises(ConfigError, match="no linear layer or convolution that it can adapt"):
        put_into(net)
    with pytest.raises(ConfigError, match="tied to another layer"):
        put_into(net, target=["blocks.1.0"])


def test_a_projection_that_is_read_from_is_left_out() -> None:
    """BEiT computes with the weight of ``qkv`` and never calls it: what peft puts there would not learn."""
    sizes: dict[str, Any] = {"img_size": 32, "embed_dim": 16, "depth": 2, "num_heads": 2}
    model = put_into(timm.create_model("beit_base_patch16_224", num_classes=0, **sizes))
    assert not [path for path in adapted(model) if path.endswith("qkv")]
    model.get_submodule("backbone")(torch.randn(2, 3, 32, 32)).square().sum().backward()
    own = dict(model.named_parameters())
    assert all(own[name].grad is not None for name in adapters.names(model))


def test_the_dropout_of_lora_drops_while_training() -> None:
    """Modes go by the parameters before a module: beside a frozen layer peft's dropout would never be on."""
    model, data = build("vit"), batch("vit")
    insert(model, "lora", dropout=0.5)
    freeze(shaken(model), adapters.names(model))
    assert not torch.equal(model(data), model(data))
    freeze(model, frozenset())
    assert torch.equal(model(data), model(data))


@pytest.mark.parametrize("kind", ["lora", "bottleneck"])
def test_checkpointing_gives_the_same_gradients(kind: str) -> None:
    gradients = []
    for checkpointing in (False, True):
        model = build("vit")
        insert(model, kind)
        freeze(shaken(model), adapters.names(model))
        backbone: Any = model.get_submodule("backbone")
        backbone.set_grad_checkpointing(checkpointing)
        model(batch("vit")).square().sum().backward()
        own = dict(model.named_parameters())
        gradients.append({name: own[name].grad for name in adapters.names(model)})
    assert all(gradient is not None and gradient.any() for gradient in gradients[1].values())
    torch.testing.assert_close(gradients[0], gradients[1])


def test_training_after_channels_last() -> None:
    model, data = build("cnn").to(memory_format=torch.channels_last), batch("cnn")
    insert(model, "dora")
    freeze(model, adapters.names(model))
    train(model, data)
    trained = model.eval()(data)
    torch.testing.assert_close(adapters.merge(model)(data), trained, atol=1e-5, rtol=1e-5)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"strategy\.peft\.kind = lora +needs the peft library: pip install 'tlx"):
        insert(build("vit"), "lora")
    assert insert(build("vit"), "bottleneck")


def test_importing_and_naming_do_not_need_the_library() -> None:
    code = "import sys, torch; from tlx.strategies.peft import adapters; adapters.names(torch.nn.Linear(1, 1))"
    done = subprocess.run([sys.executable, "-c", f"{code}; sys.exit('peft' in sys.modules)"], timeout=120)
    assert done.returncode == 0
