"""Parameter-efficient fine-tuning: small trained parts put into a frozen backbone, and folded into it again.

==============  ===========================================================  ======  =========================
kind            what is put in                                               merges  paper
==============  ===========================================================  ======  =========================
``lora``        ``alpha / rank * B A`` beside a linear layer or convolution  yes     Hu 2021, arXiv:2106.09685
``dora``        the same, with a learned length per output                   yes     Liu 2024, arXiv:2402.09353
``ia3``         a learned factor per output (or input) of a layer            yes     Liu 2022, arXiv:2205.05638
``bottleneck``  down, GELU, up after each block, added to its output         no      Houlsby 2019, 1902.00751
``prefix``      learned keys and values in every layer; texts only           no      Li 2021, arXiv:2101.00190
``prompt``      learned tokens before the embedded text; texts only          no      Lester 2021, 2104.08691
==============  ===========================================================  ======  =========================

The first three are the `peft` library's (``pip install 'tlx[peft]'``). It has no bottleneck adapters, and its
prefixes and prompts rename every parameter and push the words out of the positions they were pretrained with, so
those three are done here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from tlx.backbones.partition.stages import Stage, stages
from tlx.columns.input_spec import arguments
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.strategy_parts import Peft
from tlx.strategies.peft import bottleneck, injection, virtual_tokens

_FIXED = {bottleneck.NAME: "bottleneck", virtual_tokens.PREFIX: "prefix", virtual_tokens.PROMPT: "prompt"}
_MARKS = injection.MARKS | _FIXED.keys()  # a parameter with one of these words in its name was put in


def insert(model: nn.Module, cut: Sequence[Stage], options: Peft) -> list[Stage]:
    """Put the parts into ``model.backbone`` in place; the same stages, which now hold them too.

    A new parameter belongs to the stage of the module it was put into, tokens to the first stage. Names of existing
    parameters may change (the tensors do not), and the head is left alone. All new parameters require gradients:
    what trains is for the phases to say. Raises :class:`ConfigError` for what this backbone cannot have.
    """
    _check(options)
    backbone = model.get_submodule("backbone")
    held = [[id(parameter) for parameter in stage.parameters()] for stage in cut]
    asked = {id(parameter): parameter.requires_grad for parameter in model.parameters()}
    if options.kind in injection.KINDS:
        injection.inject(backbone, {id(p) for stage in _blocks(model) for p in stage.parameters()}, options)
    elif options.kind == "bottleneck":
        example = arguments(model.reads, model.example(2))  # type: ignore[arg-type, operator]
        bottleneck.attach(backbone, [stage.parameters() for stage in _blocks(model)], options, example)
    else:
        virtual_tokens.attach(backbone, options)
    for parameter in model.parameters():
        parameter.requires_grad_(asked.get(id(parameter), True))
    return _regrouped(model, cut, held)


def names(model: nn.Module) -> frozenset[str]:
    """Names of all parameters that :func:`insert` put in."""
    return frozenset(name for name, _ in model.named_parameters() if not _MARKS.isdisjoint(name.split(".")))


def merge(model: nn.Module) -> nn.Module:
    """Fold lora, dora or ia3 into the weights in place, and give all parameters their first names back.

    Raises :class:`ConfigError` for kinds that compute what no weight of the backbone can.
    """
    for kind in sorted({_FIXED[word] for name in names(model) for word in name.split(".") if word in _FIXED}):
        raise ConfigError(
            [ConfigIssue("strategy.peft.kind", "cannot be merged into the weights of the backbone", kind)]
        )
    injection.merge(model)
    return model


def _check(options: Peft) -> None:
    problems = []
    for field in ("rank", "tokens"):
        if getattr(options, field) < 1:
            problems.append(ConfigIssue(f"strategy.peft.{field}", "at least 1", getattr(options, field)))
    if options.dropout and options.kind in ("ia3", "prefix", "prompt"):
        problems.append(ConfigIssue("strategy.peft.dropout", f"{options.kind} has no dropout", options.dropout))
    if options.target and options.kind in ("prefix", "prompt"):
        problems.append(ConfigIssue("strategy.peft.target", f"{options.kind} has no target", options.target))
    if problems:
        raise ConfigError(problems)


def _blocks(model: nn.Module) -> list[Stage]:
    """The finest stages but those before and after the blocks; of a network without blocks, all but the head."""
    body = [stage for stage in stages(model) if stage.name != "head"]
    blocks = [stage for stage in body if stage.name.split(".")[-1] not in ("stem", "neck")]
    return blocks or body


def _regrouped(model: nn.Module, cut: Sequence[Stage], held: list[list[int]]) -> list[Stage]:
    """The stages with their parameters under the names they have now, and the new parameters.

    Tied tensors are never renamed: layers that hold one are not adapted.
    """
    place = {parameter: i for i, stage in enumerate(held) for parameter in stage}
    now = {id(parameter): name for name, parameter in model.named_parameters()}
    kept = {name: id(parameter) for name, parameter in model.named_parameters(remove_duplicate=False)}
    for stage, parameters in zip(cut, held, strict=True):
        now.update({p: name for name, p in zip(stage.names, parameters, strict=True) if kept.get(name) == p})
    inside: dict[str, int] = {}  # module path -> the first stage that has an old parameter in this module
    for parameter, i in place.items():
        path = now[parameter]
        while path:
            path = path.rpartition(".")[0]
            inside[path] = min(i, inside.get(path, i))
    groups = [[now[parameter] for parameter in stage] for stage in held]
    for parameter, name in now.items():
        if parameter not in place:
            path = name.rpartition(".")[0]
            while path not in inside:
                path = path.rpartition(".")[0]
            groups[inside[path]].append(name)
    return [replace(stage, names=tuple(group)) for stage, group in zip(cut, groups, strict=True)]
