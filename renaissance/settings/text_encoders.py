"""What the settings say of the text encoder.

In: settings. Out: its name, whether its weights begin at random, its dimensions and its flags.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from renaissance.settings.architectures import BUILT_IN, is_architecture
from renaissance.settings.model import EncoderDimensions, Settings


@dataclass(frozen=True)
class TextEncoderSettings:
    """The settings of a text encoder.

    Attributes:
        name: a hub name, a folder, or an architecture.
        is_architecture: it is an architecture, built from scratch.
        random: its weights begin at random.
        dimensions: manual dimensions; None for its own. The built-in architecture has no others.
        flags: flags of its configuration, by name.
        frozen: its weights stay as they are.
    """

    name: str
    is_architecture: bool
    random: bool
    dimensions: EncoderDimensions | None
    flags: dict[str, Any] = field(default_factory=dict)
    frozen: bool = False


def text_encoder_settings(settings: Settings) -> TextEncoderSettings:
    """The settings of the text encoder."""
    name = settings.text_encoder
    architecture = is_architecture(name)
    flags = dict(settings.text_encoder_config)
    if name == BUILT_IN:
        flags["window_size"] = settings.text_encoder_window_size
    return TextEncoderSettings(
        name=name,
        is_architecture=architecture,
        random=architecture or settings.random_init_text_encoder,
        dimensions=settings.text_encoder_dimensions(),
        flags=flags,
        frozen=settings.freeze_text_encoder,
    )
