"""What must fit together: one function per rule, each yielding the problems it sees."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from tlx.config.amount import EXPECTED, Amount
from tlx.config.errors import Problem, nearest
from tlx.config.machine import cores, gpus

_USUAL_OPTIMIZERS = ("adam", "adamw", "nadam", "radam", "adagrad", "rmsprop", "sgd", "lamb", "lion", "muon")
Rule = Callable[[DictConfig], Iterator[Problem]]


def across(config: DictConfig, absent: set[str]) -> list[Problem]:
    """Every problem between parts that are right by themselves; a rule that reads an ``absent`` group is skipped."""
    problems: list[Problem] = []
    for needs, rule in RULES:
        if not absent & set(needs):
            problems.extend(rule(config))
    return problems


def modality_fits(config: DictConfig) -> Iterator[Problem]:
    """A text backbone needs texts, an image backbone images."""
    have, want = config.dataset.modality, config.backbone.modality
    if have != want:
        kind = "an image" if want == "image" else "a text"
        message = f"{kind} backbone cannot read the {have}s of dataset={config.dataset.name} (tlx list dataset)"
        yield Problem("backbone", message, config.backbone.name)


def task_fits(config: DictConfig) -> Iterator[Problem]:
    """The task's modality is the data set's."""
    want = config.task.get("modality") if config.task.kind != "auto" else None
    if want is not None and want != config.dataset.modality:
        message = f"needs {want}s, but dataset={config.dataset.name} holds {config.dataset.modality}s; task=auto fits"
        yield Problem("task", message, config.task.kind)


def amounts_read(config: DictConfig) -> Iterator[Problem]:
    """Lengths of training are amounts, and the budget is a whole one."""
    strategy = config.strategy
    phases = [f"phases.{i}" for i in range(len(strategy.phases))]
    whole = ["budget", "validate_every", *(["controller.every"] if strategy.controller is not None else [])]
    shares = ["schedule.warmup", *(f"{phase}.schedule.warmup" for phase in phases)]
    averaged = ["averaging.start"] if strategy.averaging is not None else []
    free = [f"{phase}.{name}" for phase in phases for name in ("until", "warmup")]
    for key in [*whole, *shares, *averaged, *free]:
        text = OmegaConf.select(strategy, key)
        if text is None:
            continue
        try:
            amount = Amount.parse(str(text))
        except ValueError:
            yield Problem(f"strategy.{key}", f"expected {EXPECTED}", text)
            continue
        relative = amount.unit in ("%", "rest")
        if key in whole and (relative or amount.value <= 0):
            yield Problem(f"strategy.{key}", "expected epochs or steps above zero", text)
        if key in shares and (amount.unit != "%" or amount.value > 100):
            yield Problem(f"strategy.{key}", "expected a share of the schedule, such as '10%'", text)
        if key.endswith(".warmup") and key not in shares and amount.unit not in ("%", "steps"):
            yield Problem(f"strategy.{key}", "expected steps, or a share of the phase such as '5%'", text)


def phases_make_sense(config: DictConfig) -> Iterator[Problem]:
    """There is a phase, at most one takes the rest, and each trains something."""
    phases = config.strategy.phases
    if not phases:
        yield Problem("strategy.phases", "no phase: nothing would be trained (tlx list strategy)")
    rest = [i for i, phase in enumerate(phases) if str(phase.until).strip() == "rest" and phase.solver == "gradient"]
    if len(rest) > 1:
        yield Problem(f"strategy.phases.{rest[1]}.until", "only one phase can take the rest", "rest")
    for i, phase in enumerate(phases):
        if not phase.train and phase.expand is None:
            yield Problem(f"strategy.phases.{i}.train", "trains nothing; name a selector such as head or all")
        if phase.solver == "logistic" and (list(phase.train) != ["head"] or phase.expand is not None):
            yield Problem(f"strategy.phases.{i}.solver", "solves the head alone; set train: [head]", "logistic")
        if phase.restore == "best" and i == 0 and phase.expand is None:
            yield Problem(f"strategy.phases.{i}.restore", "the first phase has no phase before it", "best")


def rates_agree(config: DictConfig) -> Iterator[Problem]:
    """One rule says how rates fall with depth."""
    strategy = config.strategy
    if strategy.lr_shallow is not None:
        for key, unset in (("backbone_lr", None), ("layer_decay", 1.0)):
            if strategy[key] != unset:
                message = "strategy.lr_shallow already says how rates fall with depth; set one of the two"
                yield Problem(f"strategy.{key}", message, strategy[key])


def optimizer_is_known(config: DictConfig) -> Iterator[Problem]:
    """torch or timm have an optimizer of this name; only an unusual name costs the import of torch."""
    name = config.strategy.optimizer.name
    if name in _USUAL_OPTIMIZERS:
        return
    from tlx.strategies.optimizers import names

    known = names()
    if name not in known:
        hint = (
            nearest(str(name).lower(), known)
            or f"; torch and timm have {', '.join(_USUAL_OPTIMIZERS)}, lamb, muon, ..."
        )
        yield Problem("strategy.optimizer.name", f"not an optimizer{hint}", name)


def parts_are_there(config: DictConfig) -> Iterator[Problem]:
    """What a strategy's parts need: a library, gradients, a network that is not compiled away."""
    strategy, hardware = config.strategy, config.hardware
    if strategy.peft is not None and strategy.init == "scratch":
        yield Problem(
            "strategy.init", "strategy.peft trains beside a pretrained network; leave it at pretrained", "scratch"
        )
    library = strategy.peft is not None and strategy.peft.kind in ("lora", "dora", "ia3")
    if library and importlib.util.find_spec("peft") is None:
        yield Problem("strategy.peft", "needs the peft library: pip install 'tlx[peft]'", strategy.peft.kind)
    hooked = [
        (key, options.kind)
        for key, options, kinds in (
            ("regulariser", strategy.regulariser, ("bss", "delta")),
            ("controller", strategy.controller, ("egeria",)),
        )
        if options is not None and options.kind in kinds
    ]
    if hardware.compile:
        for key, kind in hooked:
            message = "watches activations by hooks, which a compiled network does not call; set hardware.compile=false"
            yield Problem(f"strategy.{key}.kind", message, kind)
    averaging = strategy.averaging
    if averaging is not None and averaging.kind == "wise_ft" and len(strategy.phases) < 2:
        message = "needs a phase that trains the head before the last one: its line begins where the last phase does"
        yield Problem("strategy.averaging.kind", message, "wise_ft")


def numbers_in_range(config: DictConfig) -> Iterator[Problem]:
    """Counts and rates that must be positive are, and none is NaN."""
    phases = range(len(config.strategy.phases))
    positive = ["strategy.lr", "strategy.backbone_lr", "strategy.lr_shallow", "strategy.layer_decay"]
    positive += ["strategy.batch_size", "strategy.clip", "strategy.partition.max_stages", "dataset.shots"]
    positive += ["dataset.eval_batch_size", "hardware.accumulate", "hardware.threads", "strategy.averaging.size"]
    positive += [f"strategy.peft.{name}" for name in ("rank", "alpha", "tokens")]
    positive += [f"strategy.controller.{name}" for name in ("batches", "window", "patience", "thaw")]
    positive += [f"strategy.phases.{i}.{name}" for i in phases for name in ("lr_scale", "expand.levels")]
    positive += ["strategy.schedule.div", *(f"strategy.phases.{i}.schedule.div" for i in phases)]
    positive += [f"strategy.lr_mult.{name}" for name in config.strategy.lr_mult]
    for key in positive:
        value = OmegaConf.select(config, key)
        if value is not None and not value > 0:
            yield Problem(key, "expected a number above zero", value)
    zero = ["strategy.optimizer.weight_decay", "strategy.optimizer.momentum", "hardware.workers", "seed"]
    zero += ["strategy.min_scale", "strategy.regulariser.alpha", "strategy.regulariser.beta", "hardware.save_every"]
    for key in zero:
        value = OmegaConf.select(config, key)
        if value is not None and not value >= 0:
            yield Problem(key, "expected zero or more", value)
    for key in ("dataset.val", "dataset.test"):
        value = OmegaConf.select(config, key)
        if not 0 < value < 1:
            yield Problem(key, "expected a share between 0 and 1", value)
    if max(config.dataset.val, config.dataset.test) < 1 <= config.dataset.val + config.dataset.test:
        yield Problem(
            "dataset.val", f"with dataset.test = {config.dataset.test} nothing is left to train", config.dataset.val
        )


def dropout_is_a_share(config: DictConfig) -> Iterator[Problem]:
    """Dropout rates are shares."""
    for key in ("backbone.dropout", "backbone.drop_path"):
        value = OmegaConf.select(config, key)
        if value is not None and not 0 <= value < 1:
            yield Problem(key, "expected a share from 0 to below 1", value)


def pixels_have_nothing_to_train(config: DictConfig) -> Iterator[Problem]:
    """Raw pixels have no weights: nothing to fine-tune, nothing to load."""
    if config.backbone.kind == "pixels" and config.backbone.weights != "none":
        yield Problem("backbone.weights", "raw pixels have no weights; leave it at none", config.backbone.weights)


def files_are_there(config: DictConfig) -> Iterator[Problem]:
    """Paths the configuration names exist."""
    for key in ("dataset.root", "dataset.file", "dataset.val_file", "dataset.test_file"):
        if OmegaConf.is_missing(config.dataset, key.split(".")[1]):
            continue
        value = OmegaConf.select(config, key)
        if value is not None and not Path(str(value)).expanduser().exists():
            yield Problem(key, f"no such file or folder, seen from {Path.cwd()}", value)


def weights_are_there(config: DictConfig) -> Iterator[Problem]:
    """Weights given as a path exist."""
    weights = str(config.backbone.weights)
    if config.strategy.init == "scratch" or weights in ("hub", "none") or weights.startswith(("trial:", "mlflow:")):
        return
    if not Path(weights).expanduser().exists():
        yield Problem(
            "backbone.weights", "no such file; expected hub, none, a path, trial:<experiment>, mlflow:<run>", weights
        )


def devices_are_there(config: DictConfig) -> Iterator[Problem]:
    """No more devices than the machine has."""
    hardware = config.hardware
    word = hardware.accelerator
    if word not in ("auto", "cpu", "gpu", "mps"):
        yield Problem("hardware.accelerator", "not one of auto, cpu, gpu, mps", word)
        return
    wanted = hardware.devices if hardware.devices is not None else 1
    if wanted < 1:
        yield Problem("hardware.devices", "expected at least 1", wanted)
    if word == "gpu" and wanted > gpus():
        have = gpus()
        message = f"this machine has {have} GPU{'' if have == 1 else 's'}; use hardware=cpu or fewer devices"
        yield Problem("hardware.devices", message, wanted)
    if word == "mps" and sys.platform != "darwin":
        yield Problem("hardware.accelerator", "only on Apple machines; use hardware=auto", word)
    if word in ("auto", "cpu") and wanted > max(cores(), gpus()):
        yield Problem("hardware.devices", f"this machine has {cores()} cores; use at most that many", wanted)


def batch_divides(config: DictConfig) -> Iterator[Problem]:
    """The batch is shared equally by devices and accumulation steps."""
    share = config.hardware.accumulate * (config.hardware.devices or 1)
    if share > 0 and config.strategy.batch_size % share:
        message = f"batch size {config.strategy.batch_size} is not a multiple of devices x accumulate = {share}"
        yield Problem("strategy.batch_size", message, config.strategy.batch_size)


def augmentation_fits(config: DictConfig) -> Iterator[Problem]:
    """Image augmentation is for images, and an exact solver sees each image once."""
    augment = config.dataset.augment
    if augment == "none":
        return
    if config.dataset.modality == "text":
        yield Problem("dataset.augment", "images only; use none for texts", augment)
    elif any(phase.solver == "logistic" for phase in config.strategy.phases):
        yield Problem("dataset.augment", "a logistic phase sees each image once; use dataset.augment=none", augment)


RULES: list[tuple[tuple[str, ...], Rule]] = [
    (("backbone", "dataset"), modality_fits),
    (("task", "dataset"), task_fits),
    (("strategy",), amounts_read),
    (("strategy",), phases_make_sense),
    (("strategy",), rates_agree),
    (("strategy",), optimizer_is_known),
    (("strategy", "hardware"), parts_are_there),
    (("strategy", "dataset", "hardware"), numbers_in_range),
    (("backbone",), dropout_is_a_share),
    (("backbone",), pixels_have_nothing_to_train),
    (("dataset",), files_are_there),
    (("backbone", "strategy"), weights_are_there),
    (("hardware",), devices_are_there),
    (("hardware", "strategy"), batch_divides),
    (("dataset", "strategy"), augmentation_fits),
]
