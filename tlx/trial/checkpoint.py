"""What a trial leaves of its model: the tensors it trained and every buffer, as safetensors. And bringing it back."""

from __future__ import annotations

from pathlib import Path

import torch
from pytorch_lightning import LightningModule
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tlx.backbones import weights
from tlx.config.errors import Problem, WeightsError
from tlx.config.schema import Trial
from tlx.trial import folder as folders


def tensors(model: nn.Module, trained: frozenset[str]) -> dict[str, Tensor]:
    """Copies of the trained parameters and of all buffers, on the CPU."""
    kept: dict[str, Tensor] = {name: p for name, p in model.named_parameters() if name in trained}
    kept |= dict(model.named_buffers())
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in kept.items()}


def restore(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Put :func:`tensors` back."""
    own: dict[str, Tensor] = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    with torch.no_grad():
        for name, tensor in state.items():
            own[name].copy_(tensor)


def save(path: Path, state: dict[str, Tensor]) -> None:
    """Write atomically."""
    partial = path.with_suffix(".partial")
    save_file(state, partial, metadata={"format": "pt"})  # one entry: safetensors keeps several in no fixed order
    partial.replace(path)


def reader(trial: Trial) -> weights.Reader:
    """Reads what ``backbone.weights`` names, earlier trials included."""

    def read(source: str) -> weights.State:
        if source.startswith("trial:"):
            where = folders.locate(folders.experiment(source, trial)).path
            if not (where / folders.RESULT).is_file():
                command = f"tlx train experiment={source.removeprefix('trial:')}"
                raise WeightsError([Problem("backbone.weights", f"not trained yet; run: {command}", source)])
            return backbone_of(where)
        if source.startswith("mlflow:"):
            from tlx.tracking.store import run_folder

            return backbone_of(run_folder(trial.tracking, source.removeprefix("mlflow:")))
        return weights.read(source)

    return read


def backbone_of(where: Path) -> weights.State:
    """The backbone's tensors of a finished trial, those it never trained included."""
    state = {name.removeprefix("backbone."): t for name, t in load_file(where / folders.CHECKPOINT).items()}
    facts = folders.read_result(where).facts
    if facts["weights"] == "none":  # it began from nothing, so it trained everything
        return state
    from tlx.backbones.load import load as load_backbone

    source = folders.read_config(where)
    base = load_backbone(source.backbone, channels=int(facts["channels"]), read=reader(source)).module.state_dict()
    return {**base, **state}


def load(run: str | Path) -> LightningModule:
    """The trained model of a run folder as a LightningModule in eval mode, for notebooks."""
    from tlx.trial.build import build

    where = Path(run)
    if not (where / folders.RESULT).is_file():
        raise FileNotFoundError(f"{where} is not the folder of a finished trial (it has no {folders.RESULT})")
    learner = build(folders.read_config(where)).learner
    restore(learner.model, load_file(where / folders.CHECKPOINT))
    return learner.eval()
