"""Several sources of training examples in one run: whose turn an optimiser step is.

In: a weight for each source. Out: a source for each step, in proportion to the weights at any length: of any n steps
from the first, a source has had its share within one step. What step n takes depends on n and the weights alone, so a
resumed run goes on in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from renaissance.data.batches.order import BatchAddress, TrainOrder


class Turns:
    """The order in which sources take turns: each step is the turn of the source that lacks most of its share.

    Args:
        weights: one for each source, above 0.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        total = sum(weights)
        self.shares = [weight / total for weight in weights]

    def __iter__(self) -> Iterator[int]:
        """The source of each step, without end."""
        taken = [0] * len(self.shares)
        step = 0
        while True:
            step += 1
            source = max(range(len(taken)), key=lambda number: (step * self.shares[number] - taken[number], -number))
            taken[source] += 1
            yield source

    def taken(self, steps: int) -> list[int]:
        """How many of the first steps each source has."""
        if len(self.shares) == 1:
            return [steps]
        taken = [0] * len(self.shares)
        for source in islice(self, steps):
            taken[source] += 1
        return taken


class TurnOrder:
    """The batches of one device in training, of several sources in turn, as (source, address).

    Args:
        orders: the batches of each source, from its first in these steps.
        turns: whose turn a step is.
        steps: the optimiser steps.
        accumulate: batches that a device takes in a step, all of one source.
    """

    def __init__(self, orders: Sequence[TrainOrder], turns: Turns, steps: range, accumulate: int) -> None:
        self._orders = list(orders)
        self._turns = turns
        self._steps = steps
        self._accumulate = accumulate

    def __len__(self) -> int:
        return len(self._steps) * self._accumulate

    def __iter__(self) -> Iterator[tuple[int, BatchAddress]]:
        batches = [iter(order) for order in self._orders]
        for source in islice(self._turns, self._steps.start, self._steps.stop):
            for _ in range(self._accumulate):
                yield source, next(batches[source])
