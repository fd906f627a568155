"""The full learning rate from the warm-up to the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renaissance.training.schedules.interface import ScheduleDeclaration, Span


def factor(step: int, span: Span, options: Mapping[str, Any]) -> float:
    """The factor at a step."""
    return 1.0


SCHEDULE = ScheduleDeclaration("none", frozenset(), factor)
