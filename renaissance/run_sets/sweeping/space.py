"""What is varied: for each swept setting a list of values or a range. No PyTorch here.

{"learning_rate": {"low": 1e-5, "high": 1e-3, "log": true}, "freeze_image_encoder": [true, false]}
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from renaissance.run_sets.command_line import OF_SET
from renaissance.settings.discovery import suggestion
from renaissance.settings.marked import read_by_commands
from renaissance.settings.on_resume import OnResume, on_resume
from renaissance.settings.schema import Settings


@dataclass(frozen=True)
class Choices:
    """A list of values.

    Attributes:
        values: the values, all different.
    """

    values: tuple[Any, ...]

    def at(self, place: float) -> Any:
        """The value at a place from 0 to below 1; each has the same share."""
        return self.values[int(place * len(self.values))]


@dataclass(frozen=True)
class Range:
    """The numbers between two, both included; whole ones where both are whole.

    Attributes:
        low: the smallest.
        high: the largest.
        log: equal ratios are equally far apart, instead of equal differences.
    """

    low: float
    high: float
    log: bool

    @property
    def whole(self) -> bool:
        """Whether its numbers are whole."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def at(self, place: float) -> Any:
        """The number at a place from 0 to below 1."""
        if self.whole:
            low, high = self.low - 0.5, self.high + 0.5  # every whole number has the same share, or its ratio's
            number = round(_between(max(low, 0.5) if self.log else low, high, place, self.log))
            return min(max(number, int(self.low)), int(self.high))
        return min(max(_between(self.low, self.high, place, self.log), self.low), self.high)


Space = Mapping[str, Choices | Range]


def read_space(sweep: Mapping[str, Any]) -> dict[str, Choices | Range]:
    """The space of a checked `sweep`."""
    return {
        name: Choices(tuple(given)) if isinstance(given, list) else Range(
            given["low"], given["high"], given.get("log", False)
        )
        for name, given in sweep.items()
    }  # fmt: skip


def faults_of_names(sweep: Mapping[str, Any]) -> Iterator[str]:
    """Why settings cannot be swept: there are none of such names, or they are none of a training."""
    for name in sweep:
        field = Settings.model_fields.get(name)
        if field is None:
            near = suggestion(name, Settings.model_fields)
            yield f"sweep: {name}: there is no such setting{near or '; `python run.py print_config` shows all'}"
        elif name == "seed":
            yield "sweep: seed: train each trial with several seeds by seeds=[0, 1, 2] beside sweep"
        elif name in OF_SET or on_resume(field) is OnResume.COMMAND:
            yield f"sweep: {name}: says what the command does and where; a trial is trained by other settings"
        elif name in read_by_commands():
            yield f"sweep: {name}: only {' and '.join(read_by_commands()[name])} reads it; it changes no training"
        elif name in ("monitor", "fast_dev_run", "plugins"):
            yield f"sweep: {name}: has to be the same for all trials, or they cannot be compared"


def combinations(space: Space) -> Iterator[dict[str, Any]]:
    """Every combination of a space of lists; the last setting changes fastest."""
    lists = [of.values for of in space.values() if isinstance(of, Choices)]
    for values in itertools.product(*lists):
        yield dict(zip(space, values, strict=True))


def drawn(space: Space, seed: int, number: int) -> dict[str, Any]:
    """Values drawn at random: they depend on the seed and the trial's number alone, whatever was drawn before."""
    draw = random.Random(f"{seed} {number}")
    return {name: of.at(draw.random()) for name, of in space.items()}


def _between(low: float, high: float, place: float, log: bool) -> float:
    if log:
        return math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
    return low + place * (high - low)
