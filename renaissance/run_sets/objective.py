"""What runs are compared by: the metric that chooses `best.ckpt`, and its values as they come in `metrics.csv`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from renaissance.settings import Settings
from renaissance.training.monitoring import Monitor


@dataclass(frozen=True)
class Objective:
    """A metric of validations, or a weighted sum of losses.

    Attributes:
        monitor: what chooses `best.ckpt`.
    """

    monitor: Monitor

    @classmethod
    def of_settings(cls, settings: Settings) -> Objective:
        """What the runs of these settings are judged by."""
        return cls(Monitor.of_settings(settings))

    @property
    def name(self) -> str:
        """How it is called, such as "itm/val/accuracy"."""
        return self.monitor.name

    @property
    def more_is_better(self) -> bool:
        """Whether more of it is better; of several tasks it is a sum of losses."""
        return self.monitor.more_is_better

    def in_words(self) -> str:
        """The metric with its direction."""
        return f"{self.name} ({'more' if self.more_is_better else 'less'} is better)"

    def better(self, one: float, other: float) -> bool:
        """Whether the first value is better than the second."""
        return one > other if self.more_is_better else one < other

    def best(self, values: list[tuple[int, float]]) -> tuple[int, float] | None:
        """The step and value of the best validation, the first of equals; None where there is none."""
        sign = 1 if self.more_is_better else -1
        return max(values, key=lambda one: sign * one[1], default=None)

    def values(self, metrics: Path) -> list[tuple[int, float]]:
        """Its value at each validation that a run has recorded, with the optimiser steps taken."""
        return list(MetricsTail(metrics, self).new())


class MetricsTail:
    """Follows a run's `metrics.csv` while it grows.

    Args:
        path: the file; may be missing as yet.
        objective: what is looked for in it.
    """

    def __init__(self, path: Path, objective: Objective) -> None:
        self._path = path
        self._objective = objective
        self._offset = 0
        self._open: dict[int, dict[str, float]] = {}  # validations of which not all metrics have come
        self._told = -1  # the step of the newest validation that was given out

    def new(self) -> Iterator[tuple[int, float]]:
        """The validations since the last call, as optimiser steps and value."""
        for step, name, value in self._rows():
            if name not in self._objective.monitor.weights or step <= self._told:
                continue
            values = self._open.setdefault(step, {})
            values[name] = value
            if values.keys() == self._objective.monitor.weights.keys():
                score = self._objective.monitor.score(self._open.pop(step))
                assert score is not None
                self._told = step
                yield step, score if self._objective.more_is_better else -score

    def _rows(self) -> Iterator[tuple[int, str, float]]:
        """Step, name and value of the rows since the last call, of those that are whole."""
        try:
            with self._path.open("rb") as file:
                if self._path.stat().st_size < self._offset:  # a resumed run has written it anew
                    self._offset = 0
                file.seek(self._offset)
                text = file.read()
        except OSError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode("utf-8", errors="replace").splitlines():
            try:
                step, _, name, value = line.split(",")
                yield int(step), name, float(value)
            except ValueError:  # the header
                continue
