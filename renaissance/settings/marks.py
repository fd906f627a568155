"""What else has to know of a setting, declared beside its type in `Settings`, as what becomes of it on resume is.

Whoever needs all settings of a kind, such as those that an encoder's weights fix, asks `marked.py`, which finds them
by these marks. So a new setting is named in one place, and nothing forgets it.

    num_cross_layers: Annotated[Fixed[value_types.Count], OfPart("fuser", "num_layers")]
    top_p: Question[Changes[value_types.Probability]]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal, TypeVar, get_args

from pydantic.fields import FieldInfo

Value = TypeVar("Value")

Dimension = Literal["hidden_size", "num_heads", "num_layers", "mlp_ratio", "drop_rate", "embedding_size"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
Role = Literal[
    Dimension,
    "name",  # which published model the part is
    "random",  # whether such a model begins at random
    "manual",  # whether the dimensions are those of the settings
    "flags",  # what else its configuration says
    "window",  # tokens around it that a token sees, of our own transformer
    "frozen",
    "frozen_layers",
]
# Roles of settings that cannot differ from the weights of their part.
FIXED_ROLES: frozenset[Role] = frozenset(
    ("name", "manual", "flags", "hidden_size", "num_heads", "num_layers", "mlp_ratio", "embedding_size")
)
# Roles of settings that can, since no weight depends on them; a checkpoint's hold where the user says nothing.
FOLLOWING_ROLES: frozenset[Role] = frozenset(("random", "drop_rate"))


@dataclass(frozen=True)
class OfPart:
    """What a setting says of which part of the model. Its role tells whether the part's weights fix it.

    Attributes:
        part: "encoder", "image_encoder", "text_encoder", "fuser" or "decoder".
        role: what it says of the part.
    """

    part: str
    role: Role


@dataclass(frozen=True)
class FixedByWeights:
    """A setting that cannot differ from the weights of a part, beside those that `OfPart` says it of.

    Attributes:
        part: a part of the model, a task's head, such as "contrastive_head", or "text_embeddings" or
            "image_embeddings" of whatever part has some.
    """

    part: str


@dataclass(frozen=True)
class FollowsWeights:
    """A setting that a checkpoint with weights of a part brings along where the user says nothing, and that can differ.

    Attributes:
        part: a part of the model, or "text_embeddings" or "image_embeddings" of whatever part has some.
    """

    part: str


@dataclass(frozen=True)
class OnlyReadBy:
    """A setting that one command reads, and nothing that a training does.

    Attributes:
        command: its name.
    """

    command: str


class Mark(Enum):
    """Marks that say one thing, with nothing to fill in."""

    QUESTION = "question"  # what a test asks, and how its captions are written
    DECIDES_ON_TABLES = "decides on tables"  # which rows a table gets when it is written; later it decides on nothing
    ONE_FOR_EACH = "one for each"  # a value for all text encoders, or a list with one for each
    NAME_OR_FOLDER = "name or folder"  # of something published


Question = Annotated[Value, Mark.QUESTION]
DecidesOnTables = Annotated[Value, Mark.DECIDES_ON_TABLES]
OfVocabulary = Annotated[Value, FixedByWeights("text_embeddings"), FixedByWeights("decoder")]


def roles_in(fields: Mapping[str, FieldInfo], part: str) -> dict[Role, str]:
    """The settings of a part by their role.

    Args:
        fields: all settings by name.
        part: its name.
    """
    marks = [(name, mark) for name, field in fields.items() for mark in field.metadata if isinstance(mark, OfPart)]
    return {mark.role: name for name, mark in marks if mark.part == part}
