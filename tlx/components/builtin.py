"""What tlx brings. Nothing here is imported before it is used, but the options."""

from __future__ import annotations

from tlx.components.registry import CAPABILITIES, register
from tlx.config import backbone, callbacks, dataset, loggers, metrics, task
from tlx.config.strategy_parts import Averaging, Controller, Peft, Regulariser

_ALL = frozenset(CAPABILITIES)

_FAMILIES = "tlx.backbones.families"
register("backbone", "timm", backbone.TimmBackbone, f"{_FAMILIES}.timm_images:load", capabilities=_ALL)
register(
    "backbone",
    "transformers",
    backbone.TransformersBackbone,
    f"{_FAMILIES}.transformers_texts:load",
    outline=f"{_FAMILIES}.transformers_texts:outline",
    capabilities=_ALL,
)
register("backbone", "bytes", backbone.BytesBackbone, f"{_FAMILIES}.bytes_texts:load", capabilities=_ALL)
register("backbone", "pixels", backbone.PixelsBackbone, f"{_FAMILIES}.pixels:load", capabilities=_ALL - {"trainable"})
register(
    "backbone", "columns", backbone.ColumnsBackbone, f"{_FAMILIES}.columns:load", capabilities=_ALL - {"trainable"}
)
register("backbone", "mlp", backbone.MLPBackbone, f"{_FAMILIES}.mlp:load", capabilities=_ALL)

for _kind, _options in {
    "digits": dataset.Digits,
    "glyphs": dataset.Glyphs,
    "docstrings": dataset.Docstrings,
    "imagefolder": dataset.ImageFolder,
    "table": dataset.Table,
    "objects": dataset.Objects,
}.items():
    _module = f"tlx.data.sources.{_kind}"
    register("dataset", _kind, _options, f"{_module}:load", fingerprint=f"{_module}:fingerprint", capabilities=_ALL)

register(
    "dataset",
    "hub",
    dataset.Hub,
    "tlx.data.sources.hub:load",
    fingerprint="tlx.data.sources.hub:fingerprint",
    outline="tlx.data.sources.hub:outline",
    capabilities=_ALL,
)

_LIBRARY, _MEASURED = "tlx.tasks.library", _ALL - {"batchable_head"}  # heads side by side have metrics of their own
for _kind, _options, _numerics in (
    ("balanced_accuracy", metrics.BalancedAccuracy, 1),
    ("precision", metrics.Precision, 2),  # 1 took that of a label which is unknown everywhere for 0
    ("recall", metrics.Recall, 2),
    ("f1", metrics.F1, 2),
    ("average_precision", metrics.AveragePrecision, 1),
    ("brier", metrics.Brier, 2),  # 1 was the mean over labels and examples together
    ("fbeta", metrics.FBeta, 2),
    ("matthews", metrics.Matthews, 2),  # 1 was not 0 where there was one class of two
    ("top_k", metrics.TopK, 2),  # 1 went by probabilities, many of which are exactly 0
    ("calibration_error", metrics.CalibrationError, 1),
    ("pearson", metrics.Pearson, 1),
    ("mape", metrics.MAPE, 1),
    ("auroc", metrics.AUROC, 2),  # 1 took that of a class that is not there for 0
):
    register("metric", _kind, _options, f"{_LIBRARY}:{_kind}", numerics=_numerics, capabilities=_MEASURED)

_BATCHING = "tlx.tasks.batching"
register(
    "task", "auto", task.AutoTask, "tlx.tasks.auto:load", batch_key=f"{_BATCHING}:classification", capabilities=_ALL
)
for _kind, _options in {"classification": task.Classification, "regression": task.Regression}.items():
    register("task", _kind, _options, f"tlx.tasks.{_kind}:load", batch_key=f"{_BATCHING}:{_kind}", capabilities=_ALL)

_HEADS_ALONE = _ALL - {"batchable_head"}  # heads side by side have an update rule of their own
for _kind in ("lora", "dora", "ia3", "bottleneck", "prefix", "prompt"):
    register("peft", _kind, Peft, "tlx.strategies.peft.adapters:insert", capabilities=_HEADS_ALONE)

_REGULARISERS = "tlx.strategies.regularisers"
register("regulariser", "l2_sp", Regulariser, f"{_REGULARISERS}:L2SP", capabilities=_HEADS_ALONE - {"shardable"})
register(
    "regulariser",
    "bss",
    Regulariser,
    f"{_REGULARISERS}:BSS",
    capabilities=_HEADS_ALONE - {"shardable", "compilable"},
)
register(
    "regulariser", "delta", Regulariser, f"{_REGULARISERS}:Delta", capabilities={"trainable", "resumable", "exportable"}
)

_CONTROLLERS, _WATCHING = "tlx.strategies.controllers", frozenset({"trainable", "resumable", "exportable"})
register(
    "controller",
    "auto_rgn",
    Controller,
    f"{_CONTROLLERS}:AutoRGN",
    capabilities=_WATCHING | {"cacheable", "compilable"},
)
register(
    "controller",
    "autofreeze",
    Controller,
    f"{_CONTROLLERS}:AutoFreeze",
    numerics=2,  # 1 summed the norms of the steps' gradients
    capabilities=_WATCHING | {"cacheable", "compilable"},
)
register("controller", "egeria", Controller, f"{_CONTROLLERS}:Egeria", capabilities=_WATCHING)

_RUNNING, _WHOLE_COPIES = "tlx.strategies.averaging:Running", _HEADS_ALONE - {"shardable"}
register("averaging", "ema", Averaging, _RUNNING, capabilities=_WHOLE_COPIES)
register(
    "averaging",
    "swa",
    Averaging,
    _RUNNING,
    numerics=2,  # 1 estimated the statistics of norms in evaluation batches, in the order of the files
    capabilities=_WHOLE_COPIES,
)
register("averaging", "greedy_soup", Averaging, "tlx.strategies.averaging:greedy_soup", capabilities=_HEADS_ALONE)
register("averaging", "uniform_soup", Averaging, "tlx.strategies.averaging:mean", capabilities=_HEADS_ALONE)
register("averaging", "wise_ft", Averaging, "tlx.strategies.averaging:wise_ft", capabilities=_HEADS_ALONE)

register(
    "callback",
    "gradient_norm",
    callbacks.GradientNorm,
    "tlx.training.callbacks.gradient_norm:GradientNorm",
    capabilities=_HEADS_ALONE - {"shardable"},
)

_LOGGERS = "tlx.tracking.loggers"
register("logger", "csv", loggers.Csv, f"{_LOGGERS}.csv:CsvLogger")
register(
    "logger",
    "tensorboard",
    loggers.TensorBoard,
    f"{_LOGGERS}.tensorboard:TensorBoardLogger",
    packages={"tensorboardX": "tlx[tensorboard]"},
)
register("logger", "wandb", loggers.Wandb, f"{_LOGGERS}.wandb:WandbLogger", packages={"wandb": "tlx[wandb]"})
