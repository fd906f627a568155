"""Sources in turn: their shares, and that the order has an address."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import islice, pairwise

import numpy as np
import pytest

from renaissance.data.batches.order import TrainOrder
from renaissance.data.batches.turns import TurnOrder, Turns


@pytest.mark.parametrize("sources", range(1, 9))
def test_of_any_steps_from_the_first_each_source_has_its_share_within_one(sources: int) -> None:
    """Against exact fractions, over weights of every size, many of them far apart."""
    numbers = random.Random(sources)
    makers = (lambda: numbers.random(), lambda: numbers.random() ** 6 + 1e-4, lambda: float(numbers.randint(1, 9)))
    for _ in range(20):
        weights = [numbers.choice(makers)() for _ in range(sources)]
        exact = [Fraction(weight) / sum(map(Fraction, weights)) for weight in weights]
        taken = [0] * sources
        for step, source in enumerate(islice(Turns(weights), 200), start=1):
            taken[source] += 1
            worst = max(abs(step * share - has) for share, has in zip(exact, taken, strict=True))
            assert worst < 1, (weights, step, float(worst))
        assert Turns(weights).taken(200) == taken


def test_sources_of_equal_weight_alternate_from_the_first() -> None:
    assert list(islice(Turns([1, 1, 1]), 7)) == [0, 1, 2, 0, 1, 2, 0]
    assert list(islice(Turns([0.3, 0.1]), 4)).count(0) == 3
    assert [sum(source == 0 for source in islice(Turns([3, 1]), count)) for count in (4, 40)] == [3, 30]


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_part_of_the_steps_is_the_same_part_of_all(accumulate: int) -> None:
    """What a resumed run takes, of each source from where that was: no example skipped and none twice."""
    turns, sizes = Turns([2, 1, 0.5]), (40, 30, 24)

    def order(start: int, stop: int) -> list[tuple[int, int, list[int]]]:
        orders = [
            TrainOrder(size, batch_size=4, start_batch=before * accumulate, total_batches=after * accumulate, seed=7,
                       rank=0, world_size=1, accumulate=accumulate)
            for size, before, after in zip(sizes, turns.taken(start), turns.taken(stop), strict=True)
        ]  # fmt: skip
        found = TurnOrder(orders, turns, range(start, stop), accumulate)
        batches = [(source, address.epoch, address.indices.tolist()) for source, address in found]
        assert len(batches) == len(found)
        return batches

    whole = order(0, 60)
    for start, stop in pairwise((0, 1, 17, 40, 60)):
        assert order(start, stop) == whole[start * accumulate : stop * accumulate]
    for source, size in enumerate(sizes):
        steps = size // (4 * accumulate)
        first = [index for number, epoch, indices in whole if (number, epoch) == (source, 0) for index in indices]
        assert len(first) == len(np.unique(first)) == steps * 4 * accumulate
    groups = [
        {number for number, *_ in whole[place : place + accumulate]} for place in range(0, len(whole), accumulate)
    ]
    assert all(len(group) == 1 for group in groups), "the batches of a step are of one source"
