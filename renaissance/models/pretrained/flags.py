"""Flags of an architecture's own configuration, given as `text_encoder_config`, checked and written into it.

In: a Hugging Face configuration and flags by name. Out: the configuration with them, or an error that names the
nearest real flag or the type that is expected.
"""

from __future__ import annotations

from dataclasses import fields

from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedConfig

from renaissance.errors import UserError
from renaissance.models.pretrained.dimensions import dimension_flags, replaced
from renaissance.models.pretrained.sources import EncoderRequest
from renaissance.settings.discovery import suggestion

# Flags whose values follow from elsewhere, and from where.
_FOLLOWS = {
    "vocab_size": "the tokenizer or the setting vocab_size",
    "pad_token_id": "the tokenizer",
    "max_position_embeddings": "max_text_len",
    "model_type": "the name of the architecture",
    "is_decoder": "its use: it is an encoder",
    "add_cross_attention": "its use: it is an encoder",
    "is_encoder_decoder": "its use: it is an encoder",
}


def with_flags(config: PreTrainedConfig, request: EncoderRequest) -> PreTrainedConfig:
    """The configuration with the flags of the request.

    Raises:
        UserError: a flag is unknown, has a wrong type, follows from elsewhere, or contradicts manual dimensions.
    """
    if not request.flags:
        return config
    faults = list(_faults(config, request))
    if faults:
        raise UserError("\n  * ".join([f"{_where(request)}:", *faults]))
    own_name = config.attribute_map
    values = {own_name.get(name, name): value for name, value in request.flags.items()}
    try:
        return replaced(config, values)
    except (StrictDataclassError, TypeError, ValueError) as error:
        raise UserError(f"{_where(request)}: {_last_line(error)}.") from error


def _faults(config: PreTrainedConfig, request: EncoderRequest) -> list[str]:
    known = own_flags(config)
    manual = dimension_flags(config) if request.dimensions is not None else {}
    faults = []
    for name in request.flags:
        if name in _FOLLOWS:
            faults.append(f"{name} follows from {_FOLLOWS[name]}; leave it out")
        elif name not in known:
            near = suggestion(name, known) or f" (it has {', '.join(sorted(known))})"
            faults.append(f"a {config.model_type} has no flag {name!r}{near}")
        elif config.attribute_map.get(name, name) in manual:
            dimension = manual[config.attribute_map.get(name, name)].replace("inner_size", "mlp_ratio")
            setting = f"{request.setting}_{dimension}"
            faults.append(f"{name} and {setting} name the same thing; give one of them")
    return faults


def own_flags(config: PreTrainedConfig) -> set[str]:
    """The flags of an architecture, without those that every configuration has, under all their names."""
    names = {field.name for field in fields(type(config))} - {field.name for field in fields(PreTrainedConfig)}
    return (names | set(config.attribute_map)) - set(_FOLLOWS)


def _where(request: EncoderRequest) -> str:
    return f"{request.setting}_config of {request.setting} = {request.name!r}"


def _last_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
