"""The rows of `pace.csv`: where a training was at each point of its curves, and how fast and how steadily it went.

A row holds the optimiser step, the epoch, the training examples and the working seconds until then, and of that moment
the learning rate, the gradient's norm and the examples a second. None of it is among the metrics, for speed and time
are never the same twice. No PyTorch here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from renaissance.tracking.csv_rows import count_of, csv_rows

HEADER = ("step", "epoch", "examples", "seconds", "learning_rate", "gradient_norm", "examples_per_second")
CURVES = ("learning_rate", "gradient_norm", "examples_per_second")  # what of a row is drawn over the steps

Axis = Literal["step", "epoch", "examples", "hours"]
"""What curves can be drawn over."""


class Pace(NamedTuple):
    """A row of `pace.csv`.

    Attributes:
        step: optimiser steps taken.
        epoch: how many times the data had been seen.
        examples: training examples seen, over all devices.
        seconds: working time of the run until then, over its start and all resumes: the pauses between are left out,
            validations are not.
        learning_rate: of this step, before the multipliers of parts (`lr_mult_head`, `lr_mult_cross_modal`).
        gradient_norm: of this step's gradient, over all parameters, before clipping; can be infinite under 16-mixed.
            None where the step was left out.
        examples_per_second: over all devices, in training alone, since the row before; None where it is not known yet.
    """

    step: int
    epoch: float
    examples: int
    seconds: float
    learning_rate: float
    gradient_norm: float | None
    examples_per_second: float | None


def read_pace(path: Path) -> list[Pace]:
    """The rows of a run's `pace.csv`; an unfinished last row is left out. None where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(pace_rows(file))


def pace_rows(lines: Iterable[str]) -> Iterator[Pace]:
    """Lines of a `pace.csv`, with its heading or from the middle of it; what is no row is left out."""
    for row in csv_rows(lines):
        try:
            yield _read(dict(zip(HEADER, row, strict=False)))
        except (ValueError, KeyError):
            continue


def drawn(pace: Pace) -> dict[str, float]:
    """What of a row is drawn over the steps, by name, such as `pace/learning_rate`; what is not known is left out."""
    values = {name: getattr(pace, name) for name in CURVES}
    return {f"pace/{name}": value for name, value in values.items() if value is not None}


def first_interval(settings: Mapping[str, Any]) -> int | None:
    """How many steps before the first row the hours of a run begin; None for one that began them at step 0.

    A run that goes on from another folder begins its hours at the checkpoint's step. The row that follows comes at most
    `log_interval` steps later, so that is what is told.

    Args:
        settings: of the run, as its folder holds them.
    """
    began_here = settings.get("resume_from") in (None, "auto")
    interval = settings.get("log_interval")
    return None if began_here or not isinstance(interval, int) else interval


def along(rows: Sequence[Pace], steps: Sequence[int], axis: Axis, interval: int | None = None) -> NDArray[np.float64]:
    """Where optimiser steps lie on another axis.

    Args:
        rows: of the run's `pace.csv`, in the order of the steps.
        steps: any, not only those of the rows (N,).
        axis: "step", "epoch", "examples" or "hours", these of working time.
        interval: what `first_interval` says of the run.

    Returns:
        the places (N,). Examples and epochs are exact, hours between two rows follow a straight line, which begins with
        hour 0. A step after the last row has the last row's hour. Not a number is where nothing is known: without rows,
        and before the hours of a run that goes on from another folder.
    """
    wanted = np.asarray(steps, np.float64)
    if axis == "step" or not len(wanted):
        return wanted
    known = [row for row in rows if row.step > 0]
    if not known:
        return np.full(len(wanted), np.nan)
    if axis == "hours":
        begun = 0 if interval is None else max(0, known[0].step - interval)
        hours = [0.0, *(row.seconds / 3600 for row in known)]
        return np.interp(wanted, [begun, *(row.step for row in known)], hours, left=np.nan)
    last = known[-1]
    return wanted * ((last.examples if axis == "examples" else last.epoch) / last.step)


def _read(row: dict[str, str]) -> Pace:
    return Pace(
        step=count_of(row["step"]),
        epoch=float(row["epoch"]),
        examples=count_of(row["examples"]),
        seconds=float(row["seconds"]),
        learning_rate=float(row["learning_rate"]),
        gradient_norm=float(row["gradient_norm"]) if row["gradient_norm"] else None,
        examples_per_second=float(row["examples_per_second"]) if row["examples_per_second"] else None,
    )
