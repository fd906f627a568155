"""The learning rate times `gamma` every `step_size` steps after the warm-up.

A `step_size` below 1 is a fraction of the way from the warm-up's end to the end of the schedule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renaissance.training.schedules.interface import ScheduleDeclaration, Span


def factor(step: int, span: Span, options: Mapping[str, Any]) -> float:
    """The factor at a step."""
    size = options["step_size"]
    if isinstance(size, float):
        size = max(1, round(size * (span.total_steps - span.warmup_steps)))
    return float(options["gamma"] ** ((step - span.warmup_steps) // size))


SCHEDULE = ScheduleDeclaration("step", frozenset({"step_size", "gamma"}), factor)
