"""Cut a network into stages, and put in what the strategy adds to it."""

from __future__ import annotations

from torch import nn

from tlx.backbones import input_sizes
from tlx.backbones.backbone import Backbone
from tlx.backbones.partition.stages import Stage, merge, stages
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial
from tlx.strategies.peft import adapters
from tlx.tasks.whole import WholeNetwork
from tlx.training.precision import set_features_precision


def assemble(trial: Trial, model: nn.Module, backbone: Backbone) -> list[Stage]:
    """Cut the model into stages as the strategy asks, and put in what its ``peft`` says.

    A dry run, which computes shapes alone, settles the order.

    Raises:
        ConfigError: The network cannot be cut so, or cannot take images of the size that is asked for.
    """

    def unfinished() -> None:
        if (problem := input_sizes.problem(trial.backbone, backbone)) is not None:
            raise ConfigError([problem])

    try:
        if isinstance(model, WholeNetwork) and not trial.backbone.stages:
            cut = model.cut()
        else:
            cut = stages(model, trial.backbone.stages or backbone.stages, backbone.example(2), unfinished)
    except ValueError as error:
        raise ConfigError([ConfigIssue("backbone.stages", str(error), list(trial.backbone.stages))]) from error
    if trial.strategy.partition.max_stages is not None:
        cut = merge(cut, trial.strategy.partition.max_stages)
    if trial.strategy.peft is not None:
        cut = adapters.insert(model, cut, trial.strategy.peft)
    set_features_precision(trial, model)
    return cut
