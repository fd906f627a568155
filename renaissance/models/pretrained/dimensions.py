"""Dimensions given by hand, written into a Hugging Face configuration.

In: a configuration and `EncoderDimensions`. Out: the same configuration with its width, depth, heads, feed-forward,
dropout and (where it has one) embedding width replaced.
"""

from __future__ import annotations

from collections.abc import Mapping

from transformers import PreTrainedConfig

from renaissance.errors import UserError
from renaissance.models.pretrained.sources import EncoderRequest, config_from_dict, config_to_dict

# The same things under the names that transformers' configurations give them, and what they work out themselves.
DROPOUTS = ("hidden_dropout_prob", "dropout")
DERIVED = {"out_features", "out_indices", "stage_names"}
ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")
FLAGS = {
    "hidden_size": ("hidden_size", "pooler_output_size"),
    "num_heads": ("num_attention_heads",),
    "num_layers": ("num_hidden_layers",),
    "mlp_ratio": ("mlp_ratio",),
    "inner_size": ("intermediate_size", "hidden_dim", "ffn_dim"),
    "embedding_size": ("embedding_size",),
    "drop_rate": DROPOUTS,
}


def dimension_flags(config: PreTrainedConfig) -> dict[str, str]:
    """The flags of a configuration, under its own names for them, that manual dimensions write, and from which."""
    own_name = config.attribute_map
    return {own_name.get(flag, flag): name for name, flags in FLAGS.items() for flag in flags if hasattr(config, flag)}


def with_dimensions(config: PreTrainedConfig, request: EncoderRequest) -> PreTrainedConfig:
    """The configuration with the dimensions that the settings give by hand, or as it is where they give none.

    `drop_rate` is the dropout of hidden states; attention weights get none, as everywhere (`layers/attention.py`).
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
    values: dict[str, object] = {
        "hidden_size": dimensions.hidden_size,
        "num_heads": dimensions.num_heads,
        "num_layers": dimensions.num_layers,
        "mlp_ratio": dimensions.mlp_ratio,
        "inner_size": int(dimensions.hidden_size * dimensions.mlp_ratio),
        "embedding_size": dimensions.embedding_size,
        "drop_rate": dimensions.drop_rate,
    }
    given = {flag: values[name] for flag, name in dimension_flags(config).items() if values[name] is not None}
    given |= {config.attribute_map.get(flag, flag): 0.0 for flag in ATTENTION_DROPOUTS if hasattr(config, flag)}
    try:
        return replaced(config, given)
    except Exception as error:  # whatever another's configuration does with dimensions that it does not have
        raise UserError(
            f"{request.setting} = {request.name!r} does not take manual dimensions "
            f"({(str(error).strip() or type(error).__name__).splitlines()[-1].strip()}). Take a plain transformer "
            f"(BERT, ELECTRA), or its own dimensions with {request.manual_setting}=False."
        ) from error


def replaced(config: PreTrainedConfig, values: Mapping[str, object]) -> PreTrainedConfig:
    """The configuration with other values, under its own names for them.

    What is at its default is left out, so that what follows from the values (a list of stages, a type for each layer)
    is worked out anew.
    """
    defaults = config_to_dict(type(config)())
    own = {name: value for name, value in config_to_dict(config).items() if value != defaults.get(name)}
    own = {name: value for name, value in own.items() if name not in DERIVED}
    return config_from_dict({**own, **values, "model_type": config.model_type})


def dropout_of(config: PreTrainedConfig) -> float:
    """The dropout of an encoder's hidden states."""
    return next((float(getattr(config, name)) for name in DROPOUTS if hasattr(config, name)), 0.0)
