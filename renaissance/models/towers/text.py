"""The text tower: any Hugging Face text encoder, or our own, which has the same form.

In: token ids (B, L) with their mask, and of two texts that are read together the segment of each token. Out: one vector
a token (B, L, D). It may be pretrained, or begin at random: a published encoder or any architecture, in its own
dimensions, with flags of its own, or in dimensions given by hand.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel

from renaissance.data.batches.batch import Tokens
from renaissance.errors import UserError
from renaissance.models.interface import Features
from renaissance.models.layers.initialise import STANDARD_DEVIATION, initialise_linear_maps
from renaissance.models.pretrained.dimensions import with_dimensions
from renaissance.models.pretrained.flags import with_flags
from renaissance.models.pretrained.sources import (
    EncoderRequest,
    create_model,
    find_config,
    is_decoder,
    is_sketch,
    load_pretrained,
    quiet_transformers,
    sees_images,
)
from renaissance.models.towers.interface import TextTower
from renaissance.models.towers.probe import try_longest_text, try_text_encoder
from renaissance.models.weights import POSITIONS, first_position, load_weights

SEGMENTS = "token_type_embeddings"  # how transformers call the table of segments


class TextEncoder(TextTower):
    """A Hugging Face text encoder that takes `Tokens` and hands out `Features`.

    Args:
        encoder: the Hugging Face model, without a pooler.
    """

    encoder: PreTrainedModel

    def __init__(self, encoder: PreTrainedModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.hidden_size: int = encoder.config.hidden_size
        takes_positions = "position_ids" in inspect.signature(encoder.forward).parameters
        self.first_position = first_position(position_embeddings(encoder)) if takes_positions else 0
        self.reads_segments = knows_segments(encoder)

    def forward(self, tokens: Tokens) -> Features:
        """B texts to features (B, L, D); what stands at padding has no meaning."""
        arguments: dict[str, Any] = {}
        if self.first_position:
            arguments["position_ids"] = position_numbers(tokens, self.first_position)
        if self.reads_segments and tokens.segments is not None:
            arguments["token_type_ids"] = tokens.segments
        output = self.encoder(input_ids=tokens.ids, attention_mask=tokens.mask, **arguments)
        return Features(output.last_hidden_state, tokens.mask)


def position_numbers(tokens: Tokens, first: int) -> Tensor:
    """Position numbers (B, L) for encoders that count from behind the padding number, as RoBERTa does.

    RoBERTa finds its padding by the padding token's number. We know the mask, which holds for every tokenizer.
    """
    mask = tokens.mask.long()
    return mask.cumsum(dim=1) * mask + first - 1


def position_embeddings(encoder: nn.Module) -> nn.Module:
    """The table of absolute positions of a text encoder; an empty module where it has none."""
    for name, module in encoder.named_modules():
        if name.endswith(POSITIONS) and isinstance(module, nn.Embedding):
            return module
    return nn.Module()


def knows_segments(encoder: nn.Module) -> bool:
    """Whether a text encoder tells the first of two texts from the second by embeddings of its own.

    BERT and ELECTRA do; RoBERTa's table has one row for both, and our transformer has none: there the tokens between
    the two texts tell.
    """
    if "token_type_ids" not in inspect.signature(encoder.forward).parameters:
        return False
    tables = (module for name, module in encoder.named_modules() if name.endswith(SEGMENTS))
    return any(isinstance(table, nn.Embedding) and table.num_embeddings > 1 for table in tables)


def build_text_encoder(
    request: EncoderRequest, *, vocab_size: int, pad_id: int, max_text_len: int, notes: list[str], joint: bool = False
) -> PreTrainedModel:
    """The Hugging Face text encoder that the settings ask for.

    Args:
        request: which encoder, random or pretrained.
        vocab_size: V, as the tokenizer or the setting `vocab_size` has it.
        pad_id: the padding token's number.
        max_text_len: positions needed.
        notes: what the user should know is added here.
        joint: it is that of a whole CLIP or SigLIP, whose last token alone may see all the others.

    Raises:
        UserError: it cannot be had, or a setting contradicts its weights.
    """
    config = find_config(request, "text")
    _check_text(request, config)
    if request.random and request.config is None:
        config.initializer_range = STANDARD_DEVIATION
        config = with_flags(with_dimensions(config, request), request)
        config.vocab_size = vocab_size
        config.pad_token_id = pad_id
        return _from_scratch(config, request, max_text_len, notes, tried=not joint)
    if vocab_size > config.vocab_size:
        raise UserError(
            f"The vocabulary has {vocab_size:,} tokens, but the weights of {request.setting} = {request.name!r} know "
            f"{config.vocab_size:,}. Leave vocab_size and tokenizer at None to take the encoder's own, "
            f"or start from random weights with {request.random_setting}=True."
        )
    if request.config is not None:
        return create_model(with_positions(config, max_text_len))
    return _resized(load_pretrained(request, config, notes), max_text_len, request, notes)


def _from_scratch(
    config: PreTrainedConfig, request: EncoderRequest, max_text_len: int, notes: list[str], tried: bool
) -> PreTrainedModel:
    """A model of random weights, `tried` on short texts and, where its positions are not plain to see, a long one.

    Raises:
        UserError: its flags do not go together, or it is none for texts.
    """
    name = f"{request.setting} = {request.name!r}"
    try:
        encoder = create_model(with_positions(config, max_text_len))
    except UserError:
        raise
    except Exception as error:  # whatever another's model code does with flags that do not go together
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        where = f" (its flags are in {request.setting}_config)" if request.flags else ""
        raise UserError(f"{name} cannot be built: {reason}{where}") from error
    initialise_linear_maps(encoder)
    if not tried or config.vocab_size == 1 or is_sketch():  # a one-tower for images alone has no words to try
        return encoder
    tower = TextEncoder(encoder)
    with quiet_transformers():  # what they warn of, such as padding to whole windows, is as it should be
        notes += try_text_encoder(tower, name, config.vocab_size, config.pad_token_id, max_text_len)
        if not isinstance(position_embeddings(encoder), nn.Embedding):
            try_longest_text(tower, name, max_text_len)
    return encoder


def _check_text(request: EncoderRequest, config: PreTrainedConfig) -> None:
    lacks = any(not hasattr(config, name) for name in ("vocab_size", "hidden_size"))
    decodes = request.is_architecture and is_decoder(config)
    if config.is_encoder_decoder or sees_images(config) or lacks or decodes:
        raise UserError(
            f"{request.setting} = {request.name!r} is a {config.model_type} model, not a text encoder. "
            "Take an encoder such as google/electra-small-discriminator or bert-base-uncased."
        )


def with_positions(config: PreTrainedConfig, max_text_len: int, kind: type[Any] = AutoModel) -> PreTrainedConfig:
    """The configuration, of a model of transformers' Auto class, with room for so many positions, where it has such."""
    if getattr(config, "max_position_embeddings", None) is None:
        return config
    with torch.device("meta"):
        table = position_embeddings(create_model(copy.deepcopy(config), kind))
    needed = max_text_len + first_position(table)
    config.max_position_embeddings = max(config.max_position_embeddings, needed)
    return config


def _resized(encoder: PreTrainedModel, max_text_len: int, request: EncoderRequest, notes: list[str]) -> PreTrainedModel:
    """The encoder with position embeddings for `max_text_len` tokens."""
    old_size = encoder.config.max_position_embeddings if hasattr(encoder.config, "max_position_embeddings") else None
    config = with_positions(copy.deepcopy(encoder.config), max_text_len)
    if old_size is None or config.max_position_embeddings == old_size:
        return encoder
    larger = create_model(config)
    report = load_weights(larger, encoder.state_dict(), source=request.name)
    notes += [f"{request.setting}: resized {name} from {old} to {new}" for name, (old, new) in report.resized.items()]
    return larger
