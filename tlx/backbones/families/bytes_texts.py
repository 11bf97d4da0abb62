"""Text backbones that need nothing from outside: an architecture of transformers, read in bytes (ByT5: Xue 2022)."""

from __future__ import annotations

from collections.abc import Mapping

from transformers import AutoConfig, AutoModel, ByT5Tokenizer

from tlx.backbones import weights
from tlx.backbones.backbone import Backbone
from tlx.backbones.families.transformers_texts import TextEncoder, of_texts, pooling, set_dropout, without_pooler
from tlx.columns import Column
from tlx.columns.input_spec import TextSpec
from tlx.config.backbone import BytesBackbone
from tlx.config.errors import ConfigIssue, WeightsError


def load(config: BytesBackbone, *, columns: Mapping[str, Column], pretrained: bool, read: weights.Reader) -> Backbone:
    """The architecture with random weights, or those of an earlier trial or a file; raises :class:`WeightsError`."""
    tokenizer = ByT5Tokenizer(extra_ids=0)
    try:
        settings = AutoConfig.for_model(config.architecture, **{"vocab_size": len(tokenizer), **config.settings})
    except (ValueError, TypeError) as error:
        message = f"not a model type of transformers with these settings: {str(error).splitlines()[0][:100]}"
        raise WeightsError([ConfigIssue("backbone.architecture", message, config.architecture)]) from error
    set_dropout(settings, config)
    eager = {"attn_implementation": "eager"}  # the others look at the mask's values, which plans have not
    encoder = AutoModel.from_config(settings, **without_pooler(settings), **eager).float()
    match = None
    if pretrained and config.weights != "none":
        module = TextEncoder(encoder, "mean")
        state = weights.strip(read(config.weights), module.state_dict(), config.weights_prefix)
        match = weights.fill(module, state, config.weights, config.weights_prefix)
    spec = TextSpec(tokenizer, config.max_length, int(tokenizer.pad_token_id))
    return of_texts(TextEncoder(encoder, pooling(config.pooling, settings)), settings, spec, match)
