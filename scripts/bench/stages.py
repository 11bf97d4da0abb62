"""Cut every timm model and every transformers architecture of seven tasks into stages, and check each cut.

    python scripts/bench/stages.py --jobs 2            # writes STAGES.md beside this file
    python scripts/bench/stages.py --only 'timm/vit_'  # a part; prints only

timm models are built on the meta device. transformers models are built from shrunk configurations, and on the meta
device from their default ones where the shrunk one does not hold together. Nothing is downloaded.
"""

# ruff: noqa: E402 - the place of the package and the switch that keeps the hub out come before the imports
from __future__ import annotations

import argparse
import contextlib
import logging
import multiprocessing
import os
import re
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
warnings.filterwarnings("ignore")

import timm
import torch
import transformers
from timm.data import resolve_model_data_config
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import PretrainedConfig
from transformers.models.auto import modeling_auto

from tlx.backbones.partition.stages import HEAD, Stage, digest, stages, verify

FAMILIES = {
    "sequence classification": "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    "causal LM": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "masked LM": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "seq2seq LM": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
    "CTC": "MODEL_FOR_CTC_MAPPING_NAMES",
    "image classification": "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
    "object detection": "MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES",
}
SECONDS = 90  # for one model
DRY = {min(names) for module in timm.list_modules() if (names := timm.list_models(module=module))}
LARGEST = 30_000_000  # numbers in a model that is held in memory


@dataclass
class Outcome:
    """What was found for one model; ``order`` and ``plain`` are the cut with and without an example."""

    family: str
    name: str
    how: str = ""
    not_built: str = ""
    wrong: list[str] = field(default_factory=list)
    stages: int = 0
    blocks: int = 0  # in the longest list of modules
    head: bool = False
    headless: bool = False
    covered: bool = False
    order: bool | None = None
    plain: bool | None = None
    no_forward: str = ""
    twin: bool | None = None
    seconds: float = 0.0


def tasks() -> list[tuple[str, str]]:
    """(family, model) of everything to check; a model of transformers is ``type/Class``."""
    found = []
    for family, mapping in FAMILIES.items():
        for kind, classes in getattr(modeling_auto, mapping).items():
            names = (classes,) if isinstance(classes, str) else classes
            found += [(family, f"{kind}/{name}") for name in names]
    return found + [("timm", name) for name in timm.list_models()]


# --------------------------------------------------------------------------------------------- building

SIZES: tuple[tuple[str, int], ...] = (  # the first pattern that matches a setting's whole name decides
    (r"vocab_size|.*_vocab_size", 99),
    (r"num_labels|num_hidden_groups|inner_group_num|type_vocab_size", -1),
    (r"(num_)?(hidden_|encoder_|decoder_)?layers?|n_layers?|num_.*_layers|depth|.*_num_layers|num_layers", 4),
    (r"num_key_value_heads|n_head_kv|num_kv_heads", 2),
    (r"num_.*heads|n_heads?|num_heads|.*attention_heads|.*_num_heads|num_attention_heads", 4),
    (r"head_dim|d_kv|kv_channels|.*head_dim", 8),
    (r"hidden_size|d_model|n_embd|dim|embed_dim|.*embed_dim|embedding_size|.*_hidden_size|width|model_dim|emb_dim", 32),
    (r".*intermediate_size|d_ff|.*ffn_dim|hidden_dim|n_inner|.*feedforward.*|ffn_hidden_size", 64),
    (r"num_experts|num_local_experts|n_routed_experts|moe_num_experts", 4),
    (r"num_experts_per_tok|moe_topk|top_k_experts", 2),
)
UNSET = {
    "vocab_size": 99,
    "head_dim": 8,
    "num_key_value_heads": 2,
    "pad_token_id": 1,
}  # settings that some types leave open


def shrink(config: PretrainedConfig, heads: int = 4) -> PretrainedConfig:
    """The configuration with few, narrow layers and a small vocabulary, in its parts too; changed in place."""
    layers = None
    for name, value in list(vars(config).items()):
        if isinstance(value, PretrainedConfig):
            shrink(value, heads)
        elif value is None and name in UNSET:
            set_(config, name, UNSET[name])
        elif type(value) is int:
            size = next((size for pattern, size in SIZES if re.fullmatch(pattern, name)), -1)
            if name.endswith("token_id"):
                set_(config, name, min(value, 5))
            elif "heads" in name and heads == 1:
                set_(config, name, 1)
            elif 0 < size < value:
                set_(config, name, size)
        elif isinstance(value, list) and name == "layer_types":
            layers = value
    if layers is not None:
        wanted, kinds = int(getattr(config, "num_hidden_layers", 0) or 4), list(dict.fromkeys(layers))
        set_(config, "layer_types", (kinds * wanted)[:wanted])
    return config


def set_(config: PretrainedConfig, name: str, value: Any) -> None:
    """Some settings refuse to be changed; they keep their size."""
    with contextlib.suppress(Exception):
        setattr(config, name, value)


SHAPES = ["tiny", "one head", "default"]


def build(family: str, name: str, meta: bool = False, smallest: str = "tiny") -> tuple[nn.Module, str]:
    """The model in evaluation mode, and how it was built; raises what its code raises."""
    if family == "timm":
        with torch.device("meta"):
            return timm.create_model(name, num_classes=10).eval(), "meta"
    kind, class_name = name.split("/")
    constructor = getattr(transformers, class_name)
    error: Exception | None = None
    for size in SHAPES[SHAPES.index(smallest) :]:
        try:
            config = configuration(constructor, kind)
            config = shrink(config, 1 if size == "one head" else 4) if size != "default" else config
            with torch.device("meta"):
                model = constructor(config).eval()
            numbers = sum(p.numel() for p in model.parameters())
            if not meta and size != "default" and numbers < LARGEST:
                torch.manual_seed(0)
                return constructor(config).eval(), size
            return model, f"{size} on meta"
        except TimeoutError:
            raise
        except Exception as problem:  # foreign constructors
            error = problem
    assert error is not None
    raise error


def configuration(constructor: Any, kind: str) -> PretrainedConfig:
    """The default one of the type; of a whole that the class is a part of, that part."""
    fitting = constructor.config_class
    config = transformers.AutoConfig.for_model(kind)
    if fitting is not None and not isinstance(config, fitting):
        config = next((part for part in vars(config).values() if isinstance(part, fitting)), config)
    if "CausalLM" in constructor.__name__ or "LMHead" in constructor.__name__:
        set_(config, "is_decoder", True)
    return config


# --------------------------------------------------------------------------------------------- running


def examples(model: nn.Module) -> Iterator[dict[str, Any]]:
    """Inputs that may suit; the first that the forward pass takes is used."""
    device = next(model.parameters()).device
    if hasattr(model, "pretrained_cfg"):
        yield {"x": torch.empty(1, *resolve_model_data_config(model)["input_size"], device=device)}
        return
    config: Any = model.config
    main = getattr(model, "main_input_name", "input_ids")
    vision = getattr(config, "vision_config", None)
    ids = torch.full((1, 16), 7, device=device)
    end = getattr(config, "eos_token_id", None)
    ids[:, -1] = end if isinstance(end, int) else 2
    if hasattr(model, "set_default_language"):
        model.set_default_language("en_XX")
    if main == "pixel_values":
        for source in (config, vision, getattr(config, "backbone_config", None)):
            size = getattr(source, "image_size", None)
            if size:
                shape = (size, size) if isinstance(size, int) else tuple(size)[-2:]
                yield {main: torch.zeros(1, getattr(source, "num_channels", 3), *shape, device=device)}
        for edge in (224, 256, 384, 576, 640):
            yield {main: torch.zeros(1, 3, edge, edge, device=device)}
        yield {main: torch.zeros(1, 16, 3, 224, 224, device=device)}
        yield {main: torch.zeros(1, 64, 768, device=device), "pixel_attention_mask": torch.ones(1, 64, device=device),
               "spatial_shapes": torch.tensor([[8, 8]], device=device)}  # fmt: skip
    elif main in ("input_values", "input_features"):
        whole = [config, *(part for part in vars(config).values() if isinstance(part, PretrainedConfig))]
        settings = ("num_mel_bins", "input_dim", "input_feat_per_channel", "feature_size", "input_size")
        wide = next((w for c in whole for name in settings if (w := getattr(c, name, None))), 80)
        audio = (
            {main: torch.zeros(1, 16000, device=device)},
            {main: torch.zeros(1, 128, wide, device=device)},
            {main: torch.zeros(1, wide, 3000, device=device)},
            {main: torch.zeros(1, wide, 2 * getattr(config, "max_source_positions", 100), device=device)},
            {main: torch.zeros(1, 128, 160, device=device)},
        )
        for one in audio:
            yield one
            yield one | {"decoder_input_ids": ids}
    else:
        yield {"input_ids": ids}
        yield {"input_ids": ids, "decoder_input_ids": ids}
        yield {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        yield {"input_ids": ids, "attention_mask": torch.ones_like(ids), "decoder_input_ids": ids}
        boxes = torch.zeros(1, 16, 4, dtype=torch.long, device=device)
        yield {"input_ids": ids, "bbox": boxes}
        yield {"input_ids": ids, "bbox": boxes, "pixel_values": torch.zeros(1, 3, 224, 224, device=device)}
        yield {"inputs": ids}
        yield {"inputs": torch.zeros(1, 3, 224, 224, device=device)}
        yield {"input_ids": torch.full((1, 2048), 7, device=device)}


class Calls:
    """When each module that holds parameters itself, and not only in its parts, is first called."""

    def __init__(self, model: nn.Module) -> None:
        self.first: dict[int, int] = {}
        self.clock = count()
        self.handles = [module.register_forward_pre_hook(self.note) for module in model.modules()]

    def note(self, module: nn.Module, _: object) -> None:
        self.first.setdefault(id(module), next(self.clock))

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()


def run(model: nn.Module) -> tuple[dict[str, Any] | None, dict[int, int], str]:
    """The first example that runs, when modules were first called, and why none ran."""
    reason, meta = "", next(model.parameters()).is_meta
    for example in examples(model):
        calls = Calls(model)
        fake = FakeTensorMode(allow_non_fake_inputs=True) if meta and not hasattr(model, "pretrained_cfg") else None
        try:
            with torch.no_grad(), fake or contextlib.nullcontext(), torch.device("meta" if meta else "cpu"):
                model(**example)
            return example, calls.first, ""
        except TimeoutError:
            raise
        except Exception as error:  # foreign forward passes
            reason = reason or brief(error)
        finally:
            calls.remove()
    return None, {}, reason


def ordered(model: nn.Module, cut: list[Stage], called: dict[int, int]) -> bool:
    """Are the stages before the head first called in the order of the list?

    A module that has parameters of its own beside parts is called before its parts, whenever it uses its own: it
    says nothing of them.
    """
    owner = {id(p): i for i, stage in enumerate(cut) if stage.name != HEAD for p in stage.parameters()}
    times: dict[int, int] = {}
    for module in model.modules():
        parts = any(True for child in module.children() for _ in child.parameters())
        if id(module) in called and not parts:
            for parameter in module.parameters(recurse=False):
                if id(parameter) in owner:
                    stage = owner[id(parameter)]
                    times[stage] = min(times.get(stage, called[id(module)]), called[id(module)])
    seen = [times[stage] for stage in sorted(times)]
    return seen == sorted(seen)


def check(task: tuple[str, str]) -> Outcome:
    """Build, cut and check one model."""
    family, name = task
    outcome = Outcome(family, name)
    start = time.perf_counter()
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        try:
            model, outcome.how = build(family, name)
        except Exception as error:  # foreign constructors
            outcome.not_built = brief(error)
            return outcome
        inspect(model, outcome)
    except Exception as error:
        outcome.wrong.append(f"raises {brief(error)}")
    finally:
        signal.alarm(0)
        outcome.seconds = time.perf_counter() - start
    return outcome


def inspect(model: nn.Module, outcome: Outcome) -> None:
    """Every check on one model."""
    example, called, outcome.no_forward = run(model)
    if example is None and outcome.family != "timm" and not outcome.how.startswith("default"):
        with contextlib.suppress(StopIteration, ValueError, TypeError, KeyError, RuntimeError, ImportError):
            other, how = build(outcome.family, outcome.name, smallest="default")
            example, called, _ = run(other)
            if example is not None:
                model, outcome.how, outcome.no_forward = other, how, ""
    plain = stages(model)
    dry = example is not None and (outcome.family != "timm" or outcome.name in DRY or not ordered(model, plain, called))
    cut = stages(model, example=example) if dry else plain
    verify(model, cut)
    outcome.covered = Counter(id(p) for s in cut for p in s.parameters()) == Counter(id(p) for p in model.parameters())
    last = cut[-1]
    outcome.head = last.name == HEAD and [s.name for s in cut].count(HEAD) == 1 and bool(last.names or last.tied)
    outcome.headless = getattr(model, "num_classes", None) == 0  # although timm was asked for 10
    outcome.blocks = max(
        (
            sum(any(True for _ in child.parameters()) for child in module.children())
            for module in model.modules()
            if isinstance(module, (nn.ModuleList, nn.Sequential))
        ),
        default=0,
    )
    outcome.stages = sum(stage.name != HEAD for stage in cut)
    if example is not None:
        outcome.plain = ordered(model, plain, called)
        outcome.order = ordered(model, cut, called) if dry else None
    if outcome.how in SHAPES:
        twin, _ = build(outcome.family, outcome.name, meta=True, smallest=outcome.how)
        outcome.twin = digest(stages(twin, example=example)) == digest(cut)
    for right, what in (
        (outcome.covered, "not every parameter exactly once"),
        (outcome.head or outcome.headless, f"last stage is {last.name} with {len(last.names)} tensors"),
        (outcome.stages >= 3 or outcome.blocks < 3, f"{outcome.stages} stages: {', '.join(s.name for s in cut)}"),
        (outcome.order is not False, "order"),
        (outcome.twin is not False, "the twin on meta is cut differently"),
    ):
        if not right:
            outcome.wrong.append(what)


def too_long(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def brief(error: BaseException) -> str:
    """The kind of error and the first line of what it says, without paths of this machine."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    return f"{type(error).__name__}: {re.sub(r'/[^ ]*/', '', lines[0])[:150]}"


# --------------------------------------------------------------------------------------------- report


def report(outcomes: list[Outcome], seconds: float, jobs: int) -> str:
    """The counts by family and every exception, as Markdown."""
    versions = f"torch {torch.__version__}, timm {timm.__version__}, transformers {transformers.__version__}"
    lines = [
        "# Stages of every model",
        "",
        f"`python scripts/bench/stages.py --jobs {jobs}`, {date.today()}, {versions.replace('+cpu', '')};"
        f" {seconds / 60:.0f} minutes.",
        "",
        "Covered: every parameter in exactly one stage, by identity. Head last: one stage `head`, at the end, with"
        " tensors of its own or tied ones. Order: modules are first called in the order of the stages, of those models"
        " whose forward pass runs on an invented input; first with the dry run of that input, then without. Of timm,"
        " the dry run is made for one model of each of its modules, and for all that are wrong without. Twin: the same"
        " model on the meta device has the same digest, of those held in memory.",
        "",
        "| family | models | built | covered | head last | 3 stages or more | order | without dry run | twin |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    families = list(dict.fromkeys(o.family for o in outcomes))
    groups = {family: [o for o in outcomes if o.family == family] for family in families}
    for family, all_ in [*groups.items(), ("all", outcomes)]:
        built = [o for o in all_ if not o.not_built]
        dry, ran = [o for o in built if o.order is not None], [o for o in built if o.plain is not None]
        twins = [o for o in built if o.twin is not None]
        lines.append(
            f"| {family} | {len(all_)} | {len(built)} | {sum(o.covered for o in built)} |"
            f" {sum(o.head for o in built)} |"
            f" {sum(o.stages >= 3 for o in built)} | {sum(o.order is True for o in dry)}/{len(dry)} |"
            f" {sum(o.plain is True for o in ran)}/{len(ran)} | {sum(o.twin is True for o in twins)}/{len(twins)} |"
        )
    lines += listed("Exceptions", [(o, "; ".join(o.wrong)) for o in outcomes if o.wrong])
    lines += listed("Encoders without a head", [(o, f"ends with {o.stages} stages") for o in outcomes if o.headless])
    few = [
        (o, f"{o.stages} stages, lists of {o.blocks} modules at most") for o in outcomes if o.stages < 3 and o.covered
    ]
    lines += listed("Fewer than 3 blocks", few)
    lines += listed("Not built", [(o, o.not_built) for o in outcomes if o.not_built])
    lines += listed("Wrong order without a dry run", [(o, o.how) for o in outcomes if o.plain is False])
    lines += listed("Forward pass not run, order not checked", [(o, o.no_forward) for o in outcomes if o.no_forward])
    return "\n".join(lines) + "\n"


def listed(title: str, rows: list[tuple[Outcome, str]]) -> list[str]:
    return ["", f"## {title}: {len(rows)}", "", *(f"- {o.family}: `{o.name}`: {why}" for o, why in rows)]


def quiet() -> None:
    """Workers: one thread, no warnings, and an interruption is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity(60)


def main() -> None:
    """Check all models in ``--jobs`` processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", help="a regular expression over family/model; prints, writes nothing")
    arguments = parser.parse_args()
    wanted = [task for task in tasks() if re.search(arguments.only, "/".join(task))]
    start, outcomes = time.perf_counter(), []
    pool = multiprocessing.get_context("fork").Pool(arguments.jobs, quiet, maxtasksperchild=100)
    with pool, contextlib.suppress(KeyboardInterrupt):  # the report is then on what was done
        for outcome in pool.imap(check, wanted, chunksize=4):
            outcomes.append(outcome)
            if outcome.wrong or (len(outcomes) % 100 == 0):
                elapsed = time.perf_counter() - start
                print(f"[{elapsed:5.0f} s] {len(outcomes)}/{len(wanted)} {outcome.name} {outcome.wrong}", flush=True)
    if len(outcomes) < len(wanted):
        print(f"interrupted: the report is on the first {len(outcomes)} of {len(wanted)} models")
    text = report(outcomes, time.perf_counter() - start, arguments.jobs)
    print(text)
    if not arguments.only and len(outcomes) == len(wanted):
        Path(__file__).with_name("STAGES.md").write_text(text)


if __name__ == "__main__":
    main()
