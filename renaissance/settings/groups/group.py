"""What every group of settings is: a section of `config.py`, typed, checked and frozen.

A function that reads some settings asks for their group, so that its signature tells what it depends on, and the type
checker holds it to that. Whoever calls it hands on all the settings, since `Settings` is every group at once.

    class LengthSettings(SettingsGroup):
        max_steps: Changes[value_types.OptionalCount]
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from renaissance.settings.marks import DIMENSIONS, roles_in


class SettingsGroup(BaseModel):
    """Some of a run's settings.

    Around each type stands what becomes of the setting when a run is resumed (`on_resume.py`), and what else has to
    know of it (`marks.py`).
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)


@dataclass(frozen=True)
class EncoderDimensions:
    """The dimensions of a transformer.

    Attributes:
        hidden_size: width D of the hidden states.
        num_heads: attention heads; divides `hidden_size`.
        num_layers: layers.
        mlp_ratio: width of the feed-forward layers over `hidden_size`.
        drop_rate: dropout probability on hidden states.
        embedding_size: width of the token embeddings before they are projected to D; None where there are none.
    """

    hidden_size: int
    num_heads: int
    num_layers: int
    mlp_ratio: float
    drop_rate: float
    embedding_size: int | None = None


class PartSettings(SettingsGroup):
    """The settings of a part of the model."""

    def dimensions_of(self, part: str) -> EncoderDimensions:
        """The dimensions that the settings of a part say."""
        roles = roles_in(type(self).model_fields, part)
        values = {name: getattr(self, setting) for name, setting in roles.items() if name in DIMENSIONS}
        return EncoderDimensions(**values)
