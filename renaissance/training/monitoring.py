"""What tells the best validation of a run, for `best.ckpt` and early stopping alike.

One task is judged by its own `monitor`. Several are judged by what training minimises, the weighted sum of their
losses: accuracies of several tasks start at other chance levels, and where one of them is still at chance its
accuracy is a coin's noise, which in a mean outweighs the progress of the others; its loss hardly moves there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from renaissance.errors import UserError
from renaissance.settings.discovery import suggestion
from renaissance.settings.schema import MonitorSettings
from renaissance.tasks.registry import declaration_of
from renaissance.tracking.metrics import more_is_better


@dataclass(frozen=True)
class Monitor:
    """A weighted sum of validation metrics.

    Attributes:
        weights: the metrics by whole name, `<task>/val/<metric>`, each with its weight.
        chosen: the user named the metric.
    """

    weights: Mapping[str, float]
    chosen: bool = False

    @classmethod
    def of_settings(cls, settings: MonitorSettings) -> Monitor:
        """What `monitor` asks for, or what the active tasks are judged by."""
        return cls.of(settings.monitor, {name: settings.loss_names[name] for name in settings.active_tasks()})

    @classmethod
    def of(cls, chosen: str | None, tasks: Mapping[str, float]) -> Monitor:
        """The monitor of a run.

        Args:
            chosen: the metric that the user named; None: what the tasks are judged by.
            tasks: the active tasks, each with the weight of its loss.

        Raises:
            KeyError: the only task is none that there is.
        """
        if chosen is not None:
            return cls({chosen: 1.0}, chosen=True)
        if len(tasks) == 1:
            return cls({f"{name}/val/{declaration_of(name).monitor}": 1.0 for name in tasks})
        return cls({f"{name}/val/loss": weight for name, weight in sorted(tasks.items())})

    @property
    def name(self) -> str:
        """How it is called where a run is recorded: "mlm/val/loss", or "itm/val/loss + 0.5 × mlm/val/loss"."""
        return " + ".join(name if weight == 1 else f"{weight:g} × {name}" for name, weight in self.weights.items())

    @property
    def more_is_better(self) -> bool:
        """Whether more of the sum, as `name` writes it, is better: it is of one metric, or of losses."""
        return all(more_is_better(name) for name in self.weights)

    def check_split(self, validates: bool, datasets: Sequence[str]) -> None:
        """Refuse a metric that the user named where there is nothing to validate on.

        Raises:
            UserError: naming the data sets.
        """
        if self.chosen and not validates:
            raise UserError(
                f"monitor={self.name!r} needs validations, and {', '.join(datasets)} has no validation split. "
                "Leave it at None: the last checkpoint is then the best."
            )

    def score(self, values: Mapping[str, float]) -> float | None:
        """A validation's score: more is better; None where no metric has a value, minus infinity where one is NaN.

        Args:
            values: the metrics of a validation by whole name.

        Raises:
            UserError: the metric that the user named is not among them.
        """
        if self.chosen and not self.weights.keys() <= values.keys():
            (name,) = self.weights
            raise UserError(
                f"monitor={name!r}: the validation has no such metric{suggestion(name, values)} "
                f"(there are {', '.join(sorted(values))})"
            )
        terms = [
            weight * (values[name] if more_is_better(name) else -values[name])
            for name, weight in self.weights.items()
            if name in values
        ]
        if any(math.isnan(term) for term in terms):
            return -math.inf  # worse than any number, so that a later one is better
        return sum(terms) if terms else None
