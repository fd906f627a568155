"""Dimensions given by hand, written into a Hugging Face configuration.

In: a configuration and `EncoderDimensions`. Out: the same configuration with its width, depth, heads, feed-forward,
dropout and (where it has one) embedding width replaced.
"""

from __future__ import annotations

from transformers import PreTrainedConfig

from renaissance.errors import UserError
from renaissance.models.sources import EncoderRequest, config_from_dict, config_to_dict

# The same things under the names that transformers' configurations give them, and what they work out themselves.
DROPOUTS = ("hidden_dropout_prob", "dropout")
DERIVED = {"out_features", "out_indices", "stage_names"}
ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")


def with_dimensions(config: PreTrainedConfig, request: EncoderRequest) -> PreTrainedConfig:
    """The configuration with the dimensions that the settings give by hand, or as it is where they give none.

    `drop_rate` is the dropout of hidden states; attention weights get none, as in the cross-modal layers (`fuser`).
    An embedding width of its own is an idea of ELECTRA's and ALBERT's; the other encoders have none.

    Raises:
        UserError: the encoder is not a plain transformer (Swin, ConvNeXt, …).
    """
    dimensions = request.dimensions
    if dimensions is None:
        return config
    plain = ("hidden_size", "num_attention_heads", "num_hidden_layers")
    if hasattr(config, "depths") or not all(hasattr(config, name) for name in plain):
        raise UserError(
            f"{request.setting} = {request.name!r} has no single width, depth and number of heads, so manual "
            "dimensions do not describe it. Take a plain transformer (ViT, DeiT, BERT, ELECTRA), or its own dimensions."
        )
    values: dict[tuple[str, ...], object] = {
        ("hidden_size",): dimensions.hidden_size,
        ("num_attention_heads",): dimensions.num_heads,
        ("num_hidden_layers",): dimensions.num_layers,
        ("intermediate_size", "hidden_dim", "ffn_dim"): int(dimensions.hidden_size * dimensions.mlp_ratio),
        ("mlp_ratio",): dimensions.mlp_ratio,
        ("embedding_size",): dimensions.embedding_size,
        ("pooler_output_size",): dimensions.hidden_size,
        DROPOUTS: dimensions.drop_rate,
        ATTENTION_DROPOUTS: 0.0,
    }
    # Through a dict, so that what follows from the dimensions (a BEiT's list of stages) is worked out anew.
    plain_values = {name: value for name, value in config_to_dict(config).items() if name not in DERIVED}
    for names, value in values.items():
        plain_values.update({name: value for name in names if value is not None and hasattr(config, name)})
    return config_from_dict(plain_values)


def dropout_of(config: PreTrainedConfig) -> float:
    """The dropout of an encoder's hidden states."""
    return next((float(getattr(config, name)) for name in DROPOUTS if hasattr(config, name)), 0.0)
