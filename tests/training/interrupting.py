"""Interrupting a run from within, as a scheduler would, at a step that the test chooses; and going on with it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from renaissance.errors import Interrupted
from renaissance.tracking.run_folder import RunFolder
from renaissance.tracking.trackers.interface import LogScalar

Run = Callable[..., tuple[RunFolder, dict[str, float]]]


def stop_at(step: int, name: str) -> LogScalar:
    """A sink of metrics that sends SIGTERM when `name` comes for `step`."""

    def stop(metric: str, value: float, at: int) -> None:
        if metric == name and at == step:
            signal.raise_signal(signal.SIGTERM)

    return stop


def run_whole_and_broken(
    run: Run, *named: str, stop: LogScalar, resumed_with: dict[str, Any] | None = None, **settings: Any
) -> tuple[RunFolder, RunFolder]:
    """The folders of a run and of the same one that is interrupted by `stop` and resumed.

    Args:
        run: the fixture.
        named: named configurations.
        stop: interrupts the second run.
        resumed_with: settings that only its rest has.
        settings: those of both.
    """
    whole, _ = run(*named, **settings, exp_name="whole")
    with pytest.raises(Interrupted) as stopped:
        run(*named, **settings, exp_name="broken", log_scalar=stop)
    assert stopped.value.signum == signal.SIGTERM
    broken, _ = run(*named, **settings, exp_name="broken", resume_from="auto", **(resumed_with or {}))
    return whole, broken
