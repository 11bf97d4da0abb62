"""Learned tokens for text encoders: keys and values in every layer (prefix), or words before the text (prompt)."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.strategy_parts import Peft

PREFIX, PROMPT = "prefix_tokens", "prompt_tokens"
_STD = 0.02  # of a prefix at the start, as of transformers' own weights


class Tokens(nn.Module):
    """The learned values: [layers, 2, heads, tokens, width] of a prefix, [tokens, width] of a prompt."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(values)


def text_encoder(backbone: nn.Module) -> nn.Module | None:
    """The transformers model inside a text backbone; None for images."""
    encoder = getattr(backbone, "encoder", None)
    inside = isinstance(encoder, nn.Module) and hasattr(getattr(encoder, "config", None), "model_type")
    return encoder if inside else None


def attach(backbone: nn.Module, options: Peft) -> None:
    """Add the tokens to the transformers model of a text backbone, as a child and by forward hooks.

    The positions of the text's own words stay as they were: a prompt or prefix costs none of a table of learned
    positions. The states of prompt tokens are cut off again, so pooling never sees a token that is not text.
    """
    encoder = text_encoder(backbone)
    if encoder is None:
        raise _refused(options, "its tokens stand before a text; this backbone reads none")
    accepted = inspect.signature(encoder.forward).parameters
    settings: Any = encoder.config
    kind = type(encoder).__name__
    if settings.is_encoder_decoder:
        raise _refused(options, f"{kind} has an encoder and a decoder; it works with either alone")
    if options.kind == "prompt":
        if "inputs_embeds" not in accepted:
            raise _refused(options, f"{kind} takes words, but no embeddings of words")
        encoder.add_module(PROMPT, Tokens(_some_words(encoder, options.tokens)))
        encoder.register_forward_pre_hook(_prompt, with_kwargs=True)
        encoder.register_forward_hook(_without_prompt)
        return
    if "past_key_values" not in accepted:
        raise _refused(options, f"{kind} attends to nothing but its input; strategy.peft.kind=prompt works with it")
    if set(getattr(settings, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}:
        raise _refused(options, f"not every layer of {kind} has keys and values")
    heads = getattr(settings, "num_key_value_heads", None) or settings.num_attention_heads
    width = getattr(settings, "head_dim", None) or settings.hidden_size // settings.num_attention_heads
    shape = (settings.num_hidden_layers, 2, heads, options.tokens, width)
    encoder.add_module(PREFIX, Tokens(_STD * torch.randn(shape, device=next(encoder.parameters()).device)))
    encoder.register_forward_pre_hook(_prefix, with_kwargs=True)


def _refused(options: Peft, message: str) -> ConfigError:
    return ConfigError([ConfigIssue("strategy.peft.kind", message, options.kind)])


def _some_words(encoder: nn.Module, tokens: int) -> Tensor:
    """Embeddings of words drawn from the vocabulary, the better start for a prompt (Lester 2021, section 3.2)."""
    table: Tensor = encoder.get_input_embeddings().weight  # type: ignore[operator]
    chosen = torch.randint(len(table), (tokens,), device=table.device)
    return table.detach()[chosen].clone()


def _prefix(encoder: nn.Module, args: Any, inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Gives every attention layer the learned keys and values, as if they were of earlier words."""
    from transformers import DynamicCache

    if encoder.training and getattr(encoder, "gradient_checkpointing", False):
        message = "transformers drops the prefix under gradient checkpointing"
        raise ConfigError([ConfigIssue("strategy.peft.kind", message, "prefix")])
    ids, values = inputs["input_ids"], _values(encoder, PREFIX)
    layers = values.unsqueeze(2).expand(-1, -1, len(ids), -1, -1, -1)
    cache = DynamicCache([(keys, values) for keys, values in layers], config=encoder.config)
    mask = _lengthened(inputs["attention_mask"], values.shape[3])
    return args, inputs | {"past_key_values": cache, "attention_mask": mask} | _positions(encoder, ids, 0)


def _prompt(encoder: nn.Module, args: Any, inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Embeds the words and puts the learned ones before them."""
    ids, values = inputs["input_ids"], _values(encoder, PROMPT)
    words: Tensor = encoder.get_input_embeddings()(ids)  # type: ignore[operator]
    embedded = torch.cat([values.to(words.dtype).expand(len(ids), -1, -1), words], 1)
    mask = _lengthened(inputs["attention_mask"], len(values))
    changed = {"input_ids": None, "inputs_embeds": embedded, "attention_mask": mask}
    return args, inputs | changed | _positions(encoder, ids, len(values))


def _without_prompt(encoder: nn.Module, _: Any, output: Any) -> Any:
    output.last_hidden_state = output.last_hidden_state[:, len(_values(encoder, PROMPT)) :]
    return output


def _values(encoder: nn.Module, name: str) -> Tensor:
    tokens = encoder.get_submodule(name)
    assert isinstance(tokens, Tokens)
    return tokens.values


def _lengthened(mask: Tensor, tokens: int) -> Tensor:
    return torch.cat([mask.new_ones(len(mask), tokens), mask], 1)


def _positions(encoder: nn.Module, ids: Tensor, before: int) -> dict[str, Tensor]:
    """Positions of words that ``before`` tokens precede, where they index a table; else (rotary, ...) nothing.

    Words keep the positions they were pretrained with. Those tokens share the first: they can learn any offset.
    """
    tables = [
        module for path, module in encoder.named_modules() if path.split(".")[-1] in ("position_embeddings", "wpe")
    ]
    if not tables or type(tables[0]) is not nn.Embedding:
        return {}
    if "position_ids" not in inspect.signature(encoder.forward).parameters:
        return {}
    padding = tables[0].padding_idx
    start = 0 if padding is None else padding + 1  # RoBERTa counts from behind the index of padding
    own = torch.arange(start, start + ids.shape[1], device=ids.device)
    return {"position_ids": torch.cat([own.new_full((before,), start), own]).unsqueeze(0)}
