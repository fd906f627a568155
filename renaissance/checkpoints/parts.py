"""The parts of a training module by its tensors' names, and the settings that each part's weights settle.

A part is what the run's table prints: a tower, the fuser, a projection, or a task's head. Which settings are whose is
marked beside their types (`renaissance/settings/marks.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from renaissance.models.towers.transformer import MODEL_TYPE
from renaissance.settings.marked import (
    fixed_by_weights,
    following_weights,
    parts_with,
    roles_of,
    setting_of,
    settings_marked,
)
from renaissance.settings.marks import Mark
from renaissance.tasks.common.task import HEAD_SUFFIX

PRETRAINED = parts_with("name")  # the parts that may be published models; the settings of their names are called so too
ENCODERS = ("encoder", "image_encoder", "text_encoder")
READ_WORDS = ("encoder", "text_encoder", "decoder")  # parts that a vocabulary belongs to
SEE_PATCHES = ("encoder", "image_encoder")
PROJECTIONS = ("text_projection", "image_projection")  # to the fuser's width
QUESTIONS = frozenset(settings_marked(Mark.QUESTION))  # of a tested checkpoint's run, unless the user says otherwise
VOCABULARY = fixed_by_weights("text_embeddings")


@dataclass(frozen=True)
class Constraints:
    """The settings that the weights of a part settle.

    Attributes:
        fixed: cannot differ from the weights.
        follows: can, since position embeddings are resized and dropout has no weights; taken from the checkpoint where
            the user says nothing.
    """

    fixed: frozenset[str] = frozenset()
    follows: frozenset[str] = frozenset()

    def __or__(self, other: Constraints) -> Constraints:
        return Constraints(self.fixed | other.fixed, self.follows | other.follows)


def part_of_tensor(name: str) -> str:
    """The part of a training module's tensor: `model.<part>.…`, or `tasks.<task>.…`, whose part is its head."""
    owner, first, *_ = [*name.split("."), ""]
    return first if owner == "model" else first + HEAD_SUFFIX


def pretrained_part(part: str) -> str | None:
    """The setting that names the published model of a part; None where it can be none. Several text encoders have one.

    A decoder's dimensions are those of our own one; a published one has its own.
    """
    name = re.sub(r"^text_encoder_\d+$", "text_encoder", part)
    return name if name in PRETRAINED else None


def encoder_of(part: str) -> str | None:
    """The encoder's setting that a part belongs to; None where it is no encoder."""
    name = pretrained_part(part)
    return name if name in ENCODERS else None


def own_settings(name: str) -> frozenset[str]:
    """The settings that say how a part is built: its dimensions and the flags of its configuration, not its name."""
    return (fixed_by_weights(name) & set(roles_of(name).values())) - {name}


def dimension_settings(name: str) -> frozenset[str]:
    """The settings of a part's dimensions, and the one that turns them on."""
    return own_settings(name) - {roles_of(name).get("flags")}


def replaced_settings(name: str) -> frozenset[str]:
    """The settings that are the user's where the user replaces a part of a checkpoint by another published model."""
    roles = roles_of(name)
    own = own_settings(name) | {roles[role] for role in ("random", "drop_rate", "window") if role in roles}
    own |= VOCABULARY if name in READ_WORDS else frozenset()
    return own | (fixed_by_weights("image_embeddings") if name in SEE_PATCHES else frozenset())


def constraints_of(part: str, encoder_configs: Mapping[str, Any]) -> Constraints:
    """The settings that the weights of a part settle.

    Args:
        part: its name.
        encoder_configs: the checkpoint's, by which a one-tower encoder shows whether it knows words or patches.
    """
    if part in PROJECTIONS:
        return Constraints(frozenset({setting_of("fuser", "hidden_size")}))
    name = pretrained_part(part)
    constraints = _marked(name or part)
    if name not in ENCODERS:
        return constraints
    config = encoder_configs.get(part, {})
    if config.get("model_type") == MODEL_TYPE:  # its weights do not depend on what its tokens see
        constraints |= Constraints(follows=frozenset({setting_of("text_encoder", "window")}))
    if "vocab_size" in config:
        constraints |= _marked("text_embeddings")
    if "num_channels" in config:
        constraints |= _marked("image_embeddings")
    return constraints


def _marked(part: str) -> Constraints:
    return Constraints(fixed_by_weights(part), following_weights(part))
