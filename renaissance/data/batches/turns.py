"""Several sources of training examples in one run: whose turn an optimiser step is.

In: a weight for each source. Out: a source for each step, in proportion to the weights at any length: of any n steps
from the first, a source has had its share within one step. What step n takes depends on n and the weights alone, so a
resumed run goes on in the same order.

Source: the chairman assignment problem, Tijdeman, 1980, https://doi.org/10.1016/0012-365X(80)90269-1; its windows and
deadlines are those of Pfair scheduling, Baruah et al., 1996, https://doi.org/10.1007/BF01940883.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import count, islice
from math import lcm

from renaissance.data.batches.order import BatchAddress, TrainOrder


class Turns:
    """The order in which sources take turns: a turn goes to the source that has waited longest for its share.

    A source's turn number j (from 1) may come once its share of the steps is more than j - 1, and has to come before
    that is j. Of the sources whose next turn may come, the one takes it whose turn has to come first. (To whom most is
    lacking would be simpler, and lets a small share among many wait for more than a step.)

    Args:
        weights: one for each source, above 0.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        fractions = [Fraction(weight) for weight in weights]
        scale = lcm(*(fraction.denominator for fraction in fractions))
        self._weights = [int(fraction * scale) for fraction in fractions]  # whole numbers: nothing is rounded
        self._total = sum(self._weights)

    def __iter__(self) -> Iterator[int]:
        """The source of each step, without end."""
        taken = [0] * len(self._weights)
        for step in count(1):
            waiting = (
                number for number, weight in enumerate(self._weights) if taken[number] * self._total < step * weight
            )
            source = min(waiting, key=lambda number: -(-(taken[number] + 1) * self._total // self._weights[number]))
            taken[source] += 1
            yield source

    def taken(self, steps: int) -> list[int]:
        """How many of the first steps each source has."""
        if len(self._weights) == 1:
            return [steps]
        taken = [0] * len(self._weights)
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
