"""Encoders that are no Hugging Face models: a plug-in registers them by name, and settings name them.

    from renaissance.extend import register_image_encoder
    from renaissance.settings.registered_encoders import ImageEncoderRequest

    def build(request: ImageEncoderRequest) -> nn.Module: ...

    register_image_encoder("my_cnn", build)        # then: image_encoder=my_cnn

Comes in: names with functions that build. Goes out: whether a name is known, and its function. Nothing here imports
PyTorch, so that the settings' checks can ask. Such an encoder is a tower of a two-tower or late-fusion model; its
weights begin at random, as its own code draws them, and nothing is fetched for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from renaissance.errors import UserError
from renaissance.registrations import Registrations
from renaissance.settings.groups.group import EncoderDimensions

if TYPE_CHECKING:
    from torch import nn

ENTRY = "registered"  # of a checkpoint's configuration of an encoder: the name that it is registered by


@dataclass(frozen=True)
class ImageEncoderRequest:
    """What an image encoder is built for.

    Attributes:
        name: the name that it is registered by.
        image_size: H = W of the images to come, in pixels.
        patch_size: the setting of that name, in pixels; None where it is not given.
        dimensions: `image_encoder_hidden_size` and its kin, with `image_encoder_manual_configuration=True`; else None.
        config: what an encoder that comes from a checkpoint had as its `config`; empty for a new one.
    """

    name: str
    image_size: int
    patch_size: int | None = None
    dimensions: EncoderDimensions | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TextEncoderRequest:
    """What a text encoder is built for.

    Attributes:
        name: the name that it is registered by.
        vocab_size: V, tokens of the vocabulary.
        pad_id: the padding token's number.
        max_text_len: tokens of the longest text to come.
        dimensions: `text_encoder_hidden_size` and its kin, with `text_encoder_manual_configuration=True`; else None.
        flags: the setting `text_encoder_config`.
        config: what an encoder that comes from a checkpoint had as its `config`; empty for a new one.
    """

    name: str
    vocab_size: int
    pad_id: int
    max_text_len: int
    dimensions: EncoderDimensions | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


BuildImageEncoder = Callable[[ImageEncoderRequest], "nn.Module"]
BuildTextEncoder = Callable[[TextEncoderRequest], "nn.Module"]

_image_encoders: Registrations[BuildImageEncoder] = Registrations("image encoder")
_text_encoders: Registrations[BuildTextEncoder] = Registrations("text encoder")


def register_image_encoder(name: str, build: BuildImageEncoder) -> None:
    """Let `image_encoder=<name>` mean a module of one's own.

    Args:
        name: letters, digits and "_"; no hub name and no folder is looked for under it.
        build: makes the encoder, with random weights. It takes pixels (B, 3, H, W), normalised, to (B, P, D), and has
            the attribute `hidden_size` (D). It may have `has_class_position` (True where position 0 stands for the
            whole image, which `image_pooling=cls` then takes), `config` (plain values that its checkpoints are to
            remember) and `layers` (a ModuleList, the lowest first, for `freeze_image_encoder_layers`).

    Raises:
        UserError: the name cannot be one, or another encoder has it.
    """
    _image_encoders.add(name, build)


def register_text_encoder(name: str, build: BuildTextEncoder) -> None:
    """Let `text_encoder=<name>` mean a module of one's own.

    Args:
        name: letters, digits and "_"; no hub name and no folder is looked for under it.
        build: makes the encoder, with random weights. It takes token numbers (B, L) long and their mask (B, L) bool,
            True at tokens, to (B, L, D), and has the attribute `hidden_size` (D). It may have `config` and `layers`,
            as image encoders may. Mixed examples (`mixing_alpha`) need its embedding to be called `word_embeddings`.

    Raises:
        UserError: the name cannot be one, or another encoder has it.
    """
    _text_encoders.add(name, build)


def registered_image_encoders() -> list[str]:
    """The image encoders that plug-ins have registered, in alphabetical order."""
    return sorted(_image_encoders.things)


def registered_text_encoders() -> list[str]:
    """The text encoders that plug-ins have registered, in alphabetical order."""
    return sorted(_text_encoders.things)


def is_image_encoder(name: str | None) -> bool:
    """Whether a plug-in has registered an image encoder of this name."""
    return name in _image_encoders.things


def is_text_encoder(name: str) -> bool:
    """Whether a plug-in has registered a text encoder of this name."""
    return name in _text_encoders.things


def image_encoder_builder(name: str) -> BuildImageEncoder:
    """What builds the image encoder of this name.

    Raises:
        UserError: no plug-in has registered it.
    """
    if name not in _image_encoders.things:
        raise UserError(_missing("image_encoder", name))
    return _image_encoders.things[name]


def text_encoder_builder(name: str) -> BuildTextEncoder:
    """What builds the text encoder of this name.

    Raises:
        UserError: no plug-in has registered it.
    """
    if name not in _text_encoders.things:
        raise UserError(_missing("text_encoder", name))
    return _text_encoders.things[name]


def registered_name(config: Mapping[str, Any] | None) -> str | None:
    """The name that a checkpoint's configuration has for an encoder of a plug-in; None for a Hugging Face one."""
    return str(config[ENTRY]) if config and ENTRY in config else None


def _missing(setting: str, name: str) -> str:
    return (
        f"{setting} = {name!r} is an encoder that a plug-in defines, and no plug-in that is named here does. "
        "Name its file, such as plugins='[\"my_encoder.py\"]'."
    )
