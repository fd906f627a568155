"""Means of the tasks' metrics over a split, or over the steps since the last point of a curve.

Every metric is a mean over items (examples, hidden words), whatever batches they came in and on however many
devices. Values stay on the device until they are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor
from torchmetrics import MeanMetric


class Means:
    """Running means by name, `<task>/<split>/<metric>`."""

    def __init__(self) -> None:
        self._means: dict[str, MeanMetric] = {}

    def add(self, task: str, split: str, values: Mapping[str, Tensor]) -> None:
        """Take in one value an item (N,) of each metric."""
        for metric, items in values.items():
            self._mean(f"{task}/{split}/{metric}", items).update(items.detach().float())

    def take(self, split: str) -> dict[str, float]:
        """The means of a split so far, over all devices; counting starts anew. A metric without items is left out."""
        taken = {}
        for name, mean in self._means.items():
            if name.split("/")[1] == split and mean.update_called:
                empty = float(mean.weight) == 0
                value = float(mean.compute())
                mean.reset()
                if not (empty and math.isnan(value)):
                    taken[name] = value
        return taken

    def state(self) -> dict[str, dict[str, Tensor]]:
        """What of the training has been counted and not yet taken, for a checkpoint."""
        return {
            name: {
                key: value.detach().clone().cpu()
                for key, value in mean.metric_state.items()
                if isinstance(value, Tensor)
            }
            for name, mean in self._means.items()
            if mean.update_called and name.split("/")[1] == "train"
        }

    def load_state(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from what a checkpoint had counted."""
        for name, values in state.items():
            mean = self._mean(name, next(iter(values.values())))
            # An update with weight 0 marks the metric as used; then the counts take their saved values.
            mean.update(0.0, 0.0)
            for key, value in values.items():
                setattr(mean, key, value.clone().to(mean.device))

    def _mean(self, name: str, like: Tensor) -> MeanMetric:
        if name not in self._means:
            self._means[name] = MeanMetric(nan_strategy="disable").to(like.device)
        return self._means[name]
