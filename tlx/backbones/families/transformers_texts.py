"""Text backbones of transformers: any encoder or decoder, pooled to one vector per text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES
from transformers.utils import logging

from tlx.backbones import hub, weights
from tlx.backbones.backbone import Backbone
from tlx.columns import Column
from tlx.columns.input_spec import TextSpec
from tlx.config import backbone as options
from tlx.config.backbone import TransformersBackbone
from tlx.config.errors import ConfigIssue, WeightsError

_DROPOUTS = (  # what architectures call theirs
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "dropout",
    "attention_dropout",
    "activation_dropout",
    "hidden_dropout",
    "resid_pdrop",
    "embd_pdrop",
    "attn_pdrop",
)
_LONGEST = 512  # tokens, where neither the model nor its tokenizer sets a smaller limit


class TextEncoder(nn.Module):
    """A transformers model whose token states are pooled to one vector per text."""

    def __init__(self, encoder: nn.Module, pooling: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """[batch, tokens] ids and mask to [batch, width] features."""
        states: Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if self.pooling == "first":
            return states[:, 0]
        if self.pooling == "last":
            rows = torch.arange(len(states), device=states.device)
            return states[rows, attention_mask.sum(1).clamp(min=1) - 1]
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        return (states * mask).sum(1) / mask.sum(1).clamp(min=1)


def load(
    config: TransformersBackbone, *, columns: Mapping[str, Column], pretrained: bool, read: weights.Reader
) -> Backbone:
    """The model with its pooled features as output, and its tokenizer; weights loaded and counted."""
    local = Path(config.name).expanduser()
    place = str(local) if local.is_dir() else config.name
    offline = local.is_dir() or not hub.reachable()
    try:
        settings = AutoConfig.from_pretrained(place, local_files_only=offline)
        tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=offline)
    except (OSError, ValueError) as error:
        if local.is_dir():
            message = f"no transformers model and tokenizer in this folder: {str(error).splitlines()[0]}"
            raise WeightsError([ConfigIssue("backbone.name", message, config.name)]) from error
        raise hub.unreachable(config.name) from error
    _check_tokenizer(tokenizer, settings, config.name)
    set_dropout(settings, config)
    if pretrained and config.weights == "hub":
        encoder, match = _from_pretrained(place, offline, config)
    else:
        encoder, match = AutoModel.from_config(settings, **without_pooler(settings)).float(), None
        if pretrained and config.weights != "none":
            prefix = encoder.base_model_prefix
            state = weights.strip(read(config.weights), encoder.state_dict(), config.weights_prefix, own=(prefix,))
            match = weights.fill(encoder, state, config.weights, config.weights_prefix)
    module = TextEncoder(encoder, pooling(config.pooling, settings))
    return of_texts(module, settings, _spec(config, settings, tokenizer), match)


def outline(config: TransformersBackbone, *, columns: Mapping[str, Column], tokens: int) -> Backbone:
    """The network without weights or tokenizer; from its folder, the cache, or its type.

    Texts have ``tokens`` tokens where the configuration names no length.
    """
    local = Path(config.name).expanduser()
    try:
        settings = AutoConfig.from_pretrained(str(local) if local.is_dir() else config.name, local_files_only=True)
    except (OSError, ValueError) as error:
        if config.architecture is None:
            raise hub.unreachable(config.name) from error
        settings = AutoConfig.for_model(config.architecture, **config.settings)
    eager = {"attn_implementation": "eager"}  # the others look at the mask's values, which shapes alone have not
    encoder = AutoModel.from_config(settings, **without_pooler(settings), **eager)
    spec = TextSpec(None, config.max_length or tokens, 0)
    return of_texts(TextEncoder(encoder, pooling(config.pooling, settings)), settings, spec)


def of_texts(module: TextEncoder, settings: Any, spec: TextSpec, match: weights.LoadReport | None = None) -> Backbone:
    """A backbone of texts: a vector for each, and the states of its tokens at any depth."""
    layers = int(getattr(settings, "num_hidden_layers", 0) or getattr(settings, "n_layer", 0))
    forms, widths = {"tokens": partial(_tokens, module)}, {"tokens": [width(settings)] * (layers + 1)}
    return Backbone(module, width(settings), {"text": spec}, match, forms, widths)  # type: ignore[arg-type]


def _tokens(module: TextEncoder, inputs: Mapping[str, Any], depths: Sequence[int]) -> list[Tensor]:
    """States [batch, tokens, width]: of the embeddings at depth 0, then after each layer."""
    states = module.encoder(**inputs, output_hidden_states=True).hidden_states
    return [states[depth] for depth in depths]


def pooling(asked: str, settings: Any) -> str:
    """``auto`` settled: the mean over tokens for encoders, the last one for decoders."""
    if asked != "auto":
        return asked
    return "mean" if settings.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES else "last"


def width(settings: Any) -> int:
    """Features per token."""
    return int(getattr(settings, "hidden_size", 0) or settings.n_embd)


def _from_pretrained(place: str, offline: bool, config: TransformersBackbone) -> tuple[nn.Module, weights.LoadReport]:
    """The checkpoint beside the configuration, through transformers' own conversions, then counted."""
    settings = AutoConfig.from_pretrained(place, local_files_only=offline)
    set_dropout(settings, config)
    logging.set_verbosity_error()  # what its report says is counted below
    logging.disable_progress_bar()
    try:
        encoder, report = AutoModel.from_pretrained(
            place,
            config=settings,
            dtype=torch.float32,
            local_files_only=offline,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are counted below
            use_safetensors=None,
            **without_pooler(settings),
        )
    except (OSError, SafetensorError, RuntimeError) as error:
        if Path(place).is_dir():
            message = f"no usable weights in this folder: {(str(error) or type(error).__name__).splitlines()[0]}"
            raise WeightsError([ConfigIssue("backbone.weights", message, config.name)]) from error
        raise hub.unreachable(config.name) from error
    own = dict(encoder.state_dict())
    absent = [*report["missing_keys"], *(entry[0] for entry in report["mismatched_keys"])]
    missing = tuple(sorted(str(name) for name in absent))
    unexpected = tuple(str(name) for name in report["unexpected_keys"])
    match = weights.LoadReport(config.name, len(own) - len(missing), len(own), missing, unexpected)
    if match.share < weights.ENOUGH:
        raise weights.mismatch(match, own, {}, config.weights_prefix)
    return encoder, match


def without_pooler(settings: Any) -> dict[str, Any]:
    """BERT-like models bring a pooler that mean pooling would leave untrained: build them without it."""
    try:
        with torch.device("meta"):
            AutoModel.from_config(settings, add_pooling_layer=False)
    except TypeError:
        return {}
    return {"add_pooling_layer": False}


def set_dropout(settings: Any, config: options.Backbone) -> None:
    """Set every dropout rate the architecture has; raises :class:`WeightsError` if it has none."""
    if config.dropout is None:
        return
    have = [name for name in _DROPOUTS if getattr(settings, name, None) is not None]
    if not have:
        raise WeightsError([ConfigIssue("backbone.dropout", "this architecture has no dropout to set", config.dropout)])
    for name in have:
        setattr(settings, name, config.dropout)


def _check_tokenizer(tokenizer: Any, settings: Any, name: str) -> None:
    """A folder without tokenizer files yields an empty vocabulary that maps every word to [UNK]."""
    vocabulary = getattr(settings, "vocab_size", None)
    if vocabulary and len(tokenizer) < 0.5 * vocabulary:
        message = f"its tokenizer knows {len(tokenizer)} tokens, the model {vocabulary}: are its files there?"
        raise WeightsError([ConfigIssue("backbone.name", message, name)])
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token


def _spec(config: TransformersBackbone, settings: Any, tokenizer: Any) -> TextSpec:
    limits = [_LONGEST, int(min(tokenizer.model_max_length, 10**9))]
    for name in ("max_position_embeddings", "n_positions"):
        if getattr(settings, name, None):
            limits.append(int(getattr(settings, name)))
    if settings.model_type in ("roberta", "xlm-roberta", "camembert"):
        limits.append(int(settings.max_position_embeddings) - int(settings.pad_token_id) - 1)
    longest = min(limits)
    if config.max_length is not None and config.max_length > longest:
        message = f"the model reads {longest} tokens at most"
        raise WeightsError([ConfigIssue("backbone.max_length", message, config.max_length)])
    return TextSpec(tokenizer, config.max_length or longest, int(tokenizer.pad_token_id or 0))
