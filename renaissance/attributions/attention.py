"""Attention."""

from __future__ import annotations

from renaissance.attributions.attribution import Attribution
from renaissance.errors import UserError
from renaissance.inference.inputs import Example
from renaissance.inference.model import Model


def attention(model: Model, example: Example, task: str | None = None, word: int | None = None) -> Attribution:
    """Where a word looked."""
    raise UserError("attention: not there yet")
