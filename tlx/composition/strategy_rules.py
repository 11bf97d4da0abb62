"""What must fit together within a strategy: one function per rule, each yielding the problems it sees."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tlx.components.parts import parts_without
from tlx.components.registry import of_group
from tlx.composition import name_rules
from tlx.config.amount import AUTO, EXPECTED, Amount
from tlx.config.errors import ConfigIssue, suggest
from tlx.config.select import select

BEGINNINGS = ("pretrained", "scratch")
EXACT = ("logistic", "ridge")  # solvers that need no step
_USUAL_OPTIMIZERS = ("adam", "adamw", "nadam", "radam", "adagrad", "rmsprop", "sgd", "lamb", "lion", "muon")
_LONGEST = 1_000_000_000  # epochs, steps or percent


def amounts_read(config: Any) -> Iterator[ConfigIssue]:
    """Lengths of training are amounts, and the budget is a whole one."""
    strategy = config.strategy
    phases = [f"phases.{i}" for i in range(len(strategy.phases))]
    whole = ["budget", "validate_every", *(["controller.every"] if strategy.controller is not None else [])]
    shares = ["schedule.warmup", *(f"{phase}.schedule.warmup" for phase in phases)]
    averaged = ["averaging.start"] if strategy.averaging is not None else []
    free = [f"{phase}.{name}" for phase in phases for name in ("until", "warmup")]
    for key in [*whole, *shares, *averaged, *free]:
        text = select(strategy, key)
        if text is None or (key == "validate_every" and text == AUTO):
            continue
        try:
            amount = Amount.parse(str(text))
        except ValueError:
            yield ConfigIssue(f"strategy.{key}", _expected(key, str(text)), text)
            continue
        relative = amount.unit in ("%", "rest")
        if amount.value > _LONGEST:
            yield ConfigIssue(f"strategy.{key}", f"expected at most {_LONGEST:,}", text)
            continue
        if key in whole and (relative or amount.value <= 0):
            more = f", or {AUTO}" if key == "validate_every" else ""
            yield ConfigIssue(f"strategy.{key}", f"expected epochs or steps above zero{more}", text)
        if key in shares and (amount.unit != "%" or amount.value > 100):
            yield ConfigIssue(f"strategy.{key}", "expected a share of the schedule, such as '10%'", text)
        if key.endswith(".until") and amount.unit == "%" and amount.value > 100:
            yield ConfigIssue(f"strategy.{key}", "expected at most 100% of the budget", text)
        if key.endswith(".warmup") and key not in shares and amount.unit not in ("%", "steps"):
            yield ConfigIssue(f"strategy.{key}", "expected steps, or a share of the phase such as '5%'", text)


def _expected(key: str, text: str) -> str:
    """What a length is written like, and what was meant by a word that is near to one."""
    if key == "validate_every":
        return f"expected a length like '3 epochs' or '500 steps', or {AUTO}{suggest(text.lower(), [AUTO])}"
    return f"expected {EXPECTED}"


def phases_make_sense(config: Any) -> Iterator[ConfigIssue]:
    """There is a phase, at most one takes the rest, and each trains something."""
    phases = config.strategy.phases
    if not phases:
        yield ConfigIssue("strategy.phases", "no phase: nothing would be trained (tlx list strategy)")
    rest = [i for i, phase in enumerate(phases) if str(phase.until).strip() == "rest" and phase.solver == "gradient"]
    if len(rest) > 1:
        yield ConfigIssue(f"strategy.phases.{rest[1]}.until", "only one phase can take the rest", "rest")
    for i, phase in enumerate(phases):
        if not phase.train and phase.expand is None:
            yield ConfigIssue(f"strategy.phases.{i}.train", "trains nothing; name a selector such as head or all")
        if phase.solver in EXACT and (list(phase.train) != ["head"] or phase.expand is not None):
            yield ConfigIssue(f"strategy.phases.{i}.solver", "solves the head alone; set train: [head]", phase.solver)
        if phase.restore == "best" and i == 0 and phase.expand is None:
            yield ConfigIssue(f"strategy.phases.{i}.restore", "the first phase has no phase before it", "best")


def rates_agree(config: Any) -> Iterator[ConfigIssue]:
    """One rule says how rates fall with depth."""
    strategy = config.strategy
    if strategy.lr_shallow is not None:
        for key, unset in (("backbone_lr", None), ("layer_decay", 1.0)):
            if (value := getattr(strategy, key)) != unset:
                message = "strategy.lr_shallow already says how rates fall with depth; set one of the two"
                yield ConfigIssue(f"strategy.{key}", message, value)


def optimizer_is_known(config: Any) -> Iterator[ConfigIssue]:
    """torch or timm have an optimizer of this name; only an unusual name costs the import of torch."""
    name = config.strategy.optimizer.name
    if name in _USUAL_OPTIMIZERS:
        return
    if name in (own := of_group("optimizer")):
        yield from _own_arguments(own[name].config, config.strategy.optimizer.args)
        return
    from tlx.composition.optimizer_names import names

    known = [*own, *names()]
    if name not in known:
        hint = (
            suggest(str(name).lower(), known)
            or f"; torch and timm have {', '.join(_USUAL_OPTIMIZERS)}, lamb, muon, ..."
        )
        yield ConfigIssue("strategy.optimizer.name", f"not an optimizer{hint}", name)


def _own_arguments(kind: type, given: Mapping[str, Any]) -> Iterator[ConfigIssue]:
    """The arguments of an optimizer of somebody's own are its options."""
    known = [one.name for one in fields(kind)]
    for name, value in given.items():
        key = f"strategy.optimizer.args.{name}"
        if name not in known:
            hint = suggest(name, known) or f"; it has {', '.join(known) or 'none'}"
            yield ConfigIssue(key, f"no option of it{hint}", value)
            continue
        try:
            OmegaConf.update(OmegaConf.structured(kind), name, value)
        except OmegaConfBaseException as error:
            yield ConfigIssue(key, str(error).splitlines()[0], value)


def beginning_is_known(config: Any) -> Iterator[ConfigIssue]:
    """A trial begins from a pretrained backbone, from nothing, or from the whole model of a run that is there."""
    init = str(config.strategy.init)
    if init in BEGINNINGS or init.startswith("mlflow:"):
        return
    if not init.startswith("run:"):
        hint = suggest(init, BEGINNINGS)
        message = f"not one of {', '.join(BEGINNINGS)}, run:<folder>, mlflow:<run id>{hint}"
        yield ConfigIssue("strategy.init", message, init)
    elif not name_rules.is_there(init.removeprefix("run:")):
        yield ConfigIssue("strategy.init", f"no such folder, seen from {Path.cwd()}", init)


def parts_are_there(config: Any) -> Iterator[ConfigIssue]:
    """What a strategy's parts need: a pretrained network, a library."""
    strategy = config.strategy
    if strategy.peft is not None and strategy.init == "scratch":
        yield ConfigIssue(
            "strategy.init", "strategy.peft trains beside a pretrained network; leave it at pretrained", "scratch"
        )
    library = strategy.peft is not None and strategy.peft.kind in ("lora", "dora", "ia3")
    if library and importlib.util.find_spec("peft") is None:
        yield ConfigIssue("strategy.peft", "needs the peft library: pip install 'tlx[peft]'", strategy.peft.kind)


def parts_can_do_what_is_asked(config: Any) -> Iterator[ConfigIssue]:
    """Every part can be sharded or compiled where the network is to be."""
    asked = {
        "shardable": (config.hardware.distributed == "fsdp", "not with hardware.distributed=fsdp; use ddp"),
        "compilable": (
            config.hardware.compile,
            "watches activations by hooks, which a compiled network does not call; set hardware.compile=false",
        ),
    }
    for capability, (wanted, message) in asked.items():
        for key, part in parts_without(config, capability) if wanted else ():
            yield ConfigIssue(f"{key}.kind", message, part.kind)


def averaging_makes_sense(config: Any) -> Iterator[ConfigIssue]:
    """There are weights to average, and a time to do it in."""
    strategy, averaging = config.strategy, config.strategy.averaging
    if averaging is None:
        return
    if any(phase.solver in EXACT for phase in strategy.phases):
        message = "a head that is solved exactly has no weights to average; leave one of the two out"
        yield ConfigIssue("strategy.averaging.kind", message, averaging.kind)
    if not averaging.alphas or not all(0 <= alpha <= 1 for alpha in averaging.alphas):
        yield ConfigIssue(
            "strategy.averaging.alphas", "expected shares from 0 to 1, at least one", list(averaging.alphas)
        )
    share = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", str(averaging.start))
    if str(averaging.start).strip() == "rest" or (share and float(share.group(1)) >= 100):
        yield ConfigIssue("strategy.averaging.start", "expected a time before the end, such as '75%'", averaging.start)
    if averaging.kind == "wise_ft" and len(strategy.phases) < 2:
        message = "needs a phase that trains the head before the last one: its line begins where the last phase does"
        yield ConfigIssue("strategy.averaging.kind", message, "wise_ft")
    if averaging.norms == "refresh" and config.hardware.distributed == "fsdp":
        message = "statistics are not estimated in a sharded network; use hardware.distributed=ddp, or norms=follow"
        yield ConfigIssue("strategy.averaging.norms", message, "refresh")
