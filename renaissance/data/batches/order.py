"""Which examples make up which batch: the order of training and of evaluation.

Training is one stream of batches over all epochs, so that going on from batch 1,000 decodes nothing before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renaissance.data.streams import stream
from renaissance.errors import UserError


@dataclass(frozen=True)
class BatchAddress:
    """Where a batch comes from: the epoch, and its examples' numbers (B,)."""

    epoch: int
    indices: NDArray[np.integer]


def batches_per_epoch(examples: int, batch_size: int, world_size: int, accumulate: int = 1) -> int:
    """Batches a device gets in an epoch: whole optimiser steps only, but at least one batch.

    So an epoch is the same one however a step's examples are cut into devices and batches.

    Args:
        examples: in the training split.
        batch_size: a device's.
        world_size: number of devices.
        accumulate: batches of a device that make up an optimiser step.

    Raises:
        UserError: there are no examples.
    """
    if examples < 1:
        raise UserError("The training data is empty: there is no example to train on.")
    return max(1, examples // (batch_size * world_size * accumulate) * accumulate)


class TrainOrder:
    """The batches of one device (rank) in training, numbered through all epochs.

    An epoch is a permutation drawn from (seed, epoch); the global batch at a place of it is cut among the ranks in
    equal parts, and what does not fill an optimiser step of `accumulate` global batches is left out. A set smaller
    than a global batch makes one batch an epoch, as large as an equal share for each rank allows (with fewer examples
    than ranks some repeat).

    Args:
        examples: how many an epoch has.
        batch_size: a device's.
        start_batch: the number of the first batch.
        total_batches: the number behind the last one.
        seed: of the order.
        rank: the device's number.
        world_size: number of devices.
        accumulate: batches of a device that make up an optimiser step.
        of_epoch: the numbers of an epoch's examples; None for all, from 0.
    """

    def __init__(
        self,
        examples: int,
        *,
        batch_size: int,
        start_batch: int,
        total_batches: int,
        seed: int,
        rank: int,
        world_size: int,
        accumulate: int = 1,
        of_epoch: Callable[[int], NDArray[np.integer]] | None = None,
    ):
        self._per_epoch = batches_per_epoch(examples, batch_size, world_size, accumulate)
        self._examples = examples
        self._batch_size = min(batch_size, max(1, examples // world_size))
        self._numbers = range(start_batch, total_batches)
        self._seed = seed
        self._rank = rank
        self._world_size = world_size
        self._of_epoch = of_epoch or self._all

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[BatchAddress]:
        epoch = -1
        order: NDArray[np.integer] = np.zeros(0, np.int64)
        for number in self._numbers:
            wanted, place = divmod(number, self._per_epoch)
            if wanted != epoch:
                epoch, order = wanted, self._permutation(wanted)
            start = (place * self._world_size + self._rank) * self._batch_size
            positions = np.arange(start, start + self._batch_size) % self._examples
            yield BatchAddress(epoch, order[positions])

    def _permutation(self, epoch: int) -> NDArray[np.integer]:
        order = self._of_epoch(epoch)
        stream(self._seed, epoch, 0, "order").shuffle(order)
        return order

    def _all(self, epoch: int) -> NDArray[np.integer]:
        return np.arange(self._examples, dtype=np.int32 if self._examples < 2**31 else np.int64)


class EvaluationOrder:
    """The batches of one device in evaluation: every example once over the ranks, in order, the last batch smaller.

    Whole batches go round the ranks, so a batch holds the same examples however many devices there are. Only where
    there are fewer batches than ranks are they made smaller, since a rank without any would not take part in adding
    up the metrics, and the others would wait for it.
    """

    def __init__(self, examples: int, *, batch_size: int, rank: int, world_size: int):
        if examples < world_size:
            raise UserError(f"{examples} examples to evaluate are too few for {world_size} devices; take fewer.")
        self._examples = examples
        self._batch_size = min(batch_size, examples // world_size)
        self._starts = range(rank * self._batch_size, examples, self._batch_size * world_size)

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[BatchAddress]:
        for start in self._starts:
            yield BatchAddress(0, np.arange(start, min(start + self._batch_size, self._examples)))
