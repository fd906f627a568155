"""A polynomial decay to `end_lr`, of the exponent `decay_power`; 1 is linear.

The formula is that of transformers' `get_polynomial_decay_schedule_with_warmup`, so published recipes can be repeated:
https://huggingface.co/docs/transformers/main_classes/optimizer_schedules
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renaissance.training.schedules.interface import ScheduleDeclaration, Span, end_factor


def factor(step: int, span: Span, options: Mapping[str, Any]) -> float:
    """The factor at a step."""
    end = end_factor(options)
    if step >= span.total_steps:
        return end
    return end + (1.0 - end) * float((1.0 - span.progress(step)) ** options["decay_power"])


SCHEDULE = ScheduleDeclaration("polynomial", frozenset({"decay_power", "end_lr"}), factor)
