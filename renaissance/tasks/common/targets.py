"""The answers of examples as tensors: what a classifier is to say, read by the loader's processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.fetch import Fetch

UNKNOWN = -1  # in the place of an answer that is not known


@dataclass(frozen=True)
class ClassTargets:
    """The class of each example (a `Collate`).

    Attributes:
        column: where it is read, by the name that tasks use.
    """

    column: str = "label"

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Read the classes.

        Args:
            batch: B examples.
            fetch: reads them.
            streams: not used.

        Returns:
            "target": (B,) long, UNKNOWN where there is no answer.
        """
        values = [fetch.value(index, self.column) for index in batch.index.tolist()]
        return {"target": torch.tensor([UNKNOWN if value is None else value for value in values])}
