"""How often each class was taken for which: the confusion matrix, and the figures that follow from it.

In: true and predicted classes. Out: top-1, recall by class and its mean. No PyTorch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Confusion:
    """Counts of predictions.

    Attributes:
        counts: (C, C), by true class (row) and predicted class (column).
        names: the C classes.
    """

    counts: NDArray[np.int64]
    names: Sequence[str]

    @classmethod
    def of(cls, true: NDArray[np.int64], predicted: NDArray[np.int64], names: Sequence[str]) -> Confusion:
        """Count.

        Args:
            true: (N,) numbers of classes.
            predicted: (N,) numbers of classes.
            names: the C classes.
        """
        counts = np.zeros((len(names), len(names)), np.int64)
        np.add.at(counts, (true, predicted), 1)
        return cls(counts, names)

    @property
    def top1(self) -> float:
        """The share of examples that were taken for what they are."""
        return float(self.counts.trace() / self.counts.sum())

    @property
    def recalls(self) -> list[float | None]:
        """By class, the share of its examples that were taken for it; None where it has no example."""
        totals = self.counts.sum(axis=1)
        return [
            float(right / total) if total else None for right, total in zip(self.counts.diagonal(), totals, strict=True)
        ]

    @property
    def mean_recall(self) -> float:
        """The mean of the recalls, of the classes that have examples: each class counts the same, however rare."""
        return float(np.mean([recall for recall in self.recalls if recall is not None]))

    def rows(self) -> list[tuple[str, int, float | None, str | None]]:
        """By class its name, its examples, its recall, and what its examples are taken for most, if for another."""
        rows: list[tuple[str, int, float | None, str | None]] = []
        for number, (name, recall) in enumerate(zip(self.names, self.recalls, strict=True)):
            others = self.counts[number].copy()
            others[number] = 0
            taken_for = self.names[int(others.argmax())] if others.any() else None
            rows.append((name, int(self.counts[number].sum()), recall, taken_for))
        return rows

    def figures(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {
            "top1": self.top1,
            "mean_recall": self.mean_recall,
            "recall": dict(zip(self.names, self.recalls, strict=True)),
        }


CLASS_COLUMNS = ("class", "examples", "recall", "taken for most")
