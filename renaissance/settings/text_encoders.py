"""What the settings say of the text encoders, one by one.

In: settings, of which those of the text encoder may be lists with a value for each of several encoders. Out: for each
encoder the part of the model that it is, its name, where its weights come from, its dimensions and its flags.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from renaissance.settings.architectures import BUILT_IN, is_architecture
from renaissance.settings.groups.group import EncoderDimensions
from renaissance.settings.groups.model import TextTowerSettings
from renaissance.settings.marked import roles_of, settings_marked
from renaissance.settings.marks import DIMENSIONS, Mark, Role
from renaissance.settings.registered_encoders import is_text_encoder

EACH = settings_marked(Mark.ONE_FOR_EACH)  # the settings that may have a value for each text encoder


@dataclass(frozen=True)
class TextEncoderSettings:
    """The settings of a text encoder.

    Attributes:
        part: the part of the model that it is.
        name: a hub name, a folder, an architecture, or an encoder of a plug-in.
        is_architecture: it is an architecture, built from scratch.
        is_registered: it is an encoder that a plug-in defines.
        random: its weights begin at random.
        manual: its dimensions are given by hand, not counting the built-in architecture's, which always are.
        given: the dimensions of the settings, whether they hold or not.
        own_flags: flags of its configuration, by name.
        window_size: tokens around it that a token sees; of the built-in architecture.
        frozen: its weights stay as they are.
        frozen_layers: its lowest layers, so many, stay as they are.
    """

    part: str
    name: str
    is_architecture: bool
    random: bool
    manual: bool
    given: EncoderDimensions
    own_flags: dict[str, Any] = field(default_factory=dict)
    window_size: int | None = None
    frozen: bool = False
    frozen_layers: int = 0
    is_registered: bool = False

    @property
    def dimensions(self) -> EncoderDimensions | None:
        """The dimensions that are given by hand; None where the encoder's own hold. The built-in one has no own."""
        return self.given if self.manual or self.name == BUILT_IN else None

    @property
    def flags(self) -> dict[str, Any]:
        """What is written into the configuration besides the dimensions."""
        return {"window_size": self.window_size} if self.name == BUILT_IN else self.own_flags


def text_encoder_names(setting: str | list[str]) -> list[str]:
    """The encoders that a value of `text_encoder` names."""
    return [setting] if isinstance(setting, str) else list(setting)


def text_encoder_part(number: int, encoders: int) -> str:
    """What the part of text encoder `number`, from 0, is called: `text_encoder`, or `text_encoder_1` and so on."""
    return "text_encoder" if encoders == 1 else f"text_encoder_{number + 1}"


def text_encoders(settings: TextTowerSettings) -> list[TextEncoderSettings]:
    """The settings of each text encoder; where a list is too short, which is a fault, its last value stands in."""
    names = text_encoder_names(settings.text_encoder)
    return [_text_encoder(settings, number, name, len(names)) for number, name in enumerate(names)]


def _text_encoder(settings: TextTowerSettings, number: int, name: str, encoders: int) -> TextEncoderSettings:
    roles = roles_of("text_encoder")

    def value(role: Role) -> Any:
        given = getattr(settings, roles[role])
        return given[min(number, len(given) - 1)] if isinstance(given, list) else given

    registered = is_text_encoder(name)
    architecture = not registered and is_architecture(name)
    dimensions = {role: value(role) for role in DIMENSIONS}
    return TextEncoderSettings(
        part=text_encoder_part(number, encoders),
        name=name,
        is_architecture=architecture,
        random=architecture or registered or value("random"),
        manual=value("manual"),
        given=EncoderDimensions(**dimensions),
        own_flags=dict(value("flags") or {}),
        window_size=value("window"),
        frozen=value("frozen"),
        frozen_layers=value("frozen_layers"),
        is_registered=registered,
    )
