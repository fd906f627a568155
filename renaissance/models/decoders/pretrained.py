"""A causal language model of transformers as the text decoder, pretrained or in its dimensions with random weights.

    token ids -> [ self-attention (causal), cross-attention to the context (B, C, D), feed-forward ] -> logits

Any architecture goes whose configuration has `add_cross_attention`: GPT-2 (Radford et al., 2019), or BERT and its kin
used as decoders (Rothe et al., 2020, https://arxiv.org/abs/1907.12461). Published language models have read nothing
beside their text, so their cross-attention begins at random.

Shapes: B texts, T tokens, C context positions, D width, V vocabulary.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, DynamicCache, EncoderDecoderCache, PreTrainedConfig, PreTrainedModel

from renaissance.errors import UserError
from renaissance.models.decoders.interface import Decoder
from renaissance.models.decoders.probe import try_decoder
from renaissance.models.interface import Features
from renaissance.models.layers.initialise import STANDARD_DEVIATION, initialise_linear_maps
from renaissance.models.pretrained.sources import EncoderRequest, create_model, find_config, is_sketch, load_pretrained
from renaissance.models.towers.text import position_embeddings, with_positions
from renaissance.models.weights import first_position

EXAMPLES = "gpt2, distilgpt2, bert-base-uncased or roberta-base"


@dataclass
class PretrainedCache:
    """What a language model remembers of B texts between two tokens.

    Attributes:
        values: keys and values of the tokens so far, and of the context.
        length: tokens so far.
    """

    values: EncoderDecoderCache = field(default_factory=lambda: EncoderDecoderCache(DynamicCache(), DynamicCache()))
    length: int = 0

    def select(self, rows: Tensor) -> None:
        """Go on with the texts `rows` (B',) long, in that order."""
        self.values.batch_select_indices(rows)


class PretrainedDecoder(Decoder):
    """
    Args:
        model: a language model with cross-attention.
        context_sizes: the width of each kind of features that it attends to, by name.
    """

    def __init__(self, model: PreTrainedModel, context_sizes: Mapping[str, int]) -> None:
        super().__init__(model.config.hidden_size, context_sizes)
        self.model = model
        self.first_position = first_position(position_embeddings(model))
        self._takes_positions = "position_ids" in inspect.signature(model.forward).parameters

    def new_cache(self) -> PretrainedCache:
        return PretrainedCache()

    def forward(
        self, ids: Tensor, context: Features, cache: PretrainedCache | None = None, counted: Tensor | None = None
    ) -> Tensor:
        before = cache.length if cache is not None else 0
        end = before + ids.shape[1]
        arguments: dict[str, Any] = {}
        if self._takes_positions:  # by the place, where RoBERTa would look for the padding's number
            places = torch.arange(before, end, device=ids.device)
            arguments["position_ids"] = (places + self.first_position).expand(len(ids), -1)
        output = self.model(
            input_ids=ids,
            attention_mask=torch.ones(len(ids), end, dtype=torch.bool, device=ids.device),
            encoder_hidden_states=context.hidden,
            encoder_attention_mask=context.mask,
            past_key_values=cache.values if cache is not None else None,
            use_cache=cache is not None,
            **arguments,
        )
        if cache is not None:
            cache.length = end
        return output.logits if counted is None else output.logits[counted]

    def kept_when_frozen(self) -> Iterable[nn.Parameter]:
        """All but the cross-attention, without which a frozen language model would never learn to look."""
        new = cross_attention_tensors(self.model.config)
        return (parameter for name, parameter in self.model.named_parameters() if name not in new)


def build_pretrained_decoder(
    request: EncoderRequest,
    context_sizes: Mapping[str, int],
    *,
    vocab_size: int,
    pad_id: int,
    max_text_len: int,
    notes: list[str],
) -> PretrainedDecoder:
    """The decoder that the settings, or a checkpoint, ask for.

    Args:
        request: which language model, random or pretrained.
        context_sizes: the width of each kind of features that it attends to, by name.
        vocab_size: V, as the tokenizer has it.
        pad_id: the padding token's number.
        max_text_len: positions needed.
        notes: what the user should know is added here.

    Raises:
        UserError: it cannot be had, has no cross-attention, or a setting contradicts its weights.
    """
    config = _as_decoder(find_config(request, None))
    new = _checked_cross_attention(request, config)
    if request.random and request.config is None:
        config.initializer_range = STANDARD_DEVIATION
        config.vocab_size, config.pad_token_id = vocab_size, pad_id
    if vocab_size > config.vocab_size:
        raise UserError(
            f"The vocabulary has {vocab_size:,} tokens, but the weights of decoder = {request.name!r} know "
            f"{config.vocab_size:,}. Leave vocab_size and tokenizer at None to take the decoder's own, or start from "
            "random weights with random_init_decoder=True."
        )
    larger = with_positions(copy.deepcopy(config), max_text_len, AutoModelForCausalLM)
    if request.config is not None:
        return PretrainedDecoder(create_model(larger, AutoModelForCausalLM), context_sizes)
    if request.random:
        model = create_model(larger, AutoModelForCausalLM)
        initialise_linear_maps(model, besides=[model.get_output_embeddings()])
    else:
        _check_length(request, config, larger, max_text_len)
        model = load_pretrained(request, config, notes, AutoModelForCausalLM, new)
    decoder = PretrainedDecoder(model, context_sizes)
    if not is_sketch():
        try_decoder(decoder, f"decoder = {request.name!r}", config.vocab_size, model.config.hidden_size, max_text_len)
    return decoder


def cross_attention_tensors(config: PreTrainedConfig) -> frozenset[str]:
    """The names of what a language model has with cross-attention only; none where its kind knows no such thing."""
    names = []
    for crossing in (True, False):
        own = copy.deepcopy(config)
        own.add_cross_attention = crossing
        with torch.device("meta"):
            names.append(set(create_model(own, AutoModelForCausalLM).state_dict()))
    return frozenset(names[0] - names[1])


def _as_decoder(config: PreTrainedConfig) -> PreTrainedConfig:
    config.is_decoder = config.add_cross_attention = True
    return config


def _checked_cross_attention(request: EncoderRequest, config: PreTrainedConfig) -> frozenset[str]:
    """The names of its cross-attention's tensors.

    Raises:
        UserError: there are none.
    """
    found: frozenset[str] = frozenset()
    reason = "it has no cross-attention, by which a decoder sees an image"
    if type(config) not in AutoModelForCausalLM._model_mapping:
        reason = "it is no language model that writes"
    elif config.is_encoder_decoder:
        reason = "it has an encoder of its own"
    else:
        try:
            found = cross_attention_tensors(config)
        except Exception as error:  # whatever another's model code does where it has no cross-attention
            reason = f"it has no cross-attention: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
    if not found:
        raise UserError(
            f"decoder = {request.name!r} is a {config.model_type} model, which cannot be the decoder: {reason}. "
            f"Take one such as {EXAMPLES}, or leave decoder at None for our own."
        )
    return found


def _check_length(request: EncoderRequest, own: PreTrainedConfig, larger: PreTrainedConfig, longest: int) -> None:
    positions = getattr(own, "max_position_embeddings", None)
    if positions is not None and larger.max_position_embeddings > positions:
        raise UserError(
            f"max_text_len = {longest} is more than decoder = {request.name!r} has positions ({positions}). Take fewer."
        )
