"""Occlusion."""

from __future__ import annotations

from renaissance.attributions.attribution import Attribution
from renaissance.errors import UserError
from renaissance.inference.inputs import Example
from renaissance.inference.model import Model


def occlusion(model: Model, example: Example, task: str | None = None, target: str | int | None = None) -> Attribution:
    """What the answer loses where a patch or a word is covered."""
    raise UserError("occlusion: not there yet")
