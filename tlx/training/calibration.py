"""Temperature scaling of the trained network, fitted on validation once its weights are chosen."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pytorch_lightning import Trainer

from tlx.tasks.network import TEMPERATURE
from tlx.tasks.protocol import CalibratedTask
from tlx.training.build import TrialComponents


def calibrate(built: TrialComponents, trainer: Trainer, say: Callable[[str], None]) -> dict[str, float | None]:
    """Fit what the network's outputs are divided by, and have it do so from now on.

    Every process sees all of validation, and takes what the first one found.

    Returns:
        What is recorded beside the validation of these weights; empty where nothing is asked for.
    """
    module, task = built.module, built.module.task
    if not isinstance(task, CalibratedTask) or not task.calibrated:
        return {}
    plugin, device = trainer.precision_plugin, trainer.strategy.root_device
    model = module.model.to(device).eval()
    temperature, outputs = model.get_buffer(TEMPERATURE), []
    with torch.no_grad():
        temperature.fill_(1.0)
        for batch in built.data.eval_loader("val", load=module.prefix.load):
            with module.prefix.replaying(plugin.convert_input(batch.to(device))) as seen, plugin.val_step_context():
                outputs.append(model(seen.inputs).double().cpu())
    val = built.data.examples["val"]
    found = trainer.strategy.broadcast(task.fitted_temperature(torch.cat(outputs), val.targets, val.meta))
    with torch.no_grad():
        temperature.fill_(found.value)
    if found.why_not:
        say(f"calibration: not fitted, the temperature stays 1: on val {found.why_not}")
    else:
        say(f"calibration: temperature {found.value:.4g}, loss on val {found.before:.4f} -> {found.after:.4f}")
    event = {"temperature": found.value, "before": found.before, "after": found.after, "examples": len(val)}
    why = {"not_fitted": found.why_not} if found.why_not else {}
    module.events.write("calibration", **event, **why)
    return {"temperature": found.value, "calibrated_loss": found.after}
