"""Interrupting a run from within, as a scheduler would, at a step that the test chooses."""

from __future__ import annotations

import signal
from collections.abc import Callable


def stop_at(step: int, name: str) -> Callable[[str, float, int], None]:
    """A sink of metrics that sends SIGTERM when `name` comes for `step`."""

    def stop(metric: str, value: float, at: int) -> None:
        if metric == name and at == step:
            signal.raise_signal(signal.SIGTERM)

    return stop
