"""What becomes of a setting when a run is resumed: declared beside its type in `Settings`, `Fixed[…]`.

A resumed run's settings are its own. What a command line adds to them (a setting given as name=value, or a named
configuration that none of the run's commands had) is taken as the setting's kind says.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, TypeVar

from pydantic.fields import FieldInfo

Value = TypeVar("Value")


class OnResume(Enum):
    """The kinds, each with the words that the table of settings has for it."""

    FIXED = "stays"  # another value is refused: the optimiser's state, the data's order or the weights rest on it
    CHANGES = "may change"  # another value is used from the next step on
    NO_EFFECT = "no effect"  # training and its figures are the same whatever the value
    DEVICES = "as fits"  # may change, as long as an optimiser step sees the same batches
    COMMAND = "the command's"  # says what the command does and where, and is none of the run's


Fixed = Annotated[Value, OnResume.FIXED]
Changes = Annotated[Value, OnResume.CHANGES]
NoEffect = Annotated[Value, OnResume.NO_EFFECT]
Devices = Annotated[Value, OnResume.DEVICES]
OfCommand = Annotated[Value, OnResume.COMMAND]


def on_resume(field: FieldInfo) -> OnResume:
    """The kind of a setting."""
    return next(mark for mark in field.metadata if isinstance(mark, OnResume))
