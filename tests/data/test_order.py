"""The order of examples: against the definition, over ranks, epochs and resumed runs."""

from __future__ import annotations

import numpy as np
import pytest

from renaissance.data.batches.order import BatchAddress, EvaluationOrder, TrainOrder, batches_per_epoch
from renaissance.data.streams import stream
from renaissance.errors import UserError


def train(
    examples: int,
    batch_size: int,
    total: int,
    *,
    start: int = 0,
    seed: int = 0,
    rank: int = 0,
    world: int = 1,
    accumulate: int = 1,
) -> list[BatchAddress]:
    order = TrainOrder(
        examples,
        batch_size=batch_size,
        start_batch=start,
        total_batches=total,
        seed=seed,
        rank=rank,
        world_size=world,
        accumulate=accumulate,
    )
    batches = list(order)
    assert len(batches) == len(order)
    return batches


@pytest.mark.parametrize("world", [1, 2, 3])
def test_an_epoch_takes_whole_batches_once(world: int) -> None:
    examples, batch = 50, 4
    per_epoch = batches_per_epoch(examples, batch, world)
    assert per_epoch == examples // (batch * world)
    ranks = [train(examples, batch, 2 * per_epoch, rank=rank, world=world) for rank in range(world)]
    for epoch in (0, 1):
        seen = [
            i for batches in ranks for address in batches if address.epoch == epoch for i in address.indices.tolist()
        ]
        assert len(seen) == len(set(seen)) == per_epoch * batch * world
        assert set(seen) <= set(range(examples))
    assert all(len(address.indices) == batch for batches in ranks for address in batches)


def test_the_global_batches_do_not_depend_on_the_ranks() -> None:
    one = train(40, 8, 5)
    two = [train(40, 4, 5, rank=rank, world=2) for rank in (0, 1)]
    for number, address in enumerate(one):
        assert address.indices.tolist() == [*two[0][number].indices.tolist(), *two[1][number].indices.tolist()]


@pytest.mark.parametrize(("batch", "accumulate", "world"), [(8, 4, 1), (16, 1, 2), (4, 4, 2), (8, 2, 2)])
def test_a_step_holds_the_examples_of_a_large_batch_in_every_epoch(batch: int, accumulate: int, world: int) -> None:
    large = train(110, 32, 9)  # three steps an epoch, which leave 14 examples out
    ranks = [train(110, batch, 9 * accumulate, rank=rank, world=world, accumulate=accumulate) for rank in range(world)]
    for step, whole in enumerate(large):
        parts = [address for batches in ranks for address in batches[step * accumulate : (step + 1) * accumulate]]
        assert {address.epoch for address in parts} == {whole.epoch}
        assert sorted(i for address in parts for i in address.indices.tolist()) == sorted(whole.indices.tolist())


def test_order_depends_on_seed_and_epoch_only() -> None:
    first = np.concatenate([address.indices for address in train(100, 10, 20)])
    assert first.tolist() == np.concatenate([address.indices for address in train(100, 10, 20)]).tolist()
    assert first[:100].tolist() != first[100:].tolist()
    assert first.tolist() != np.concatenate([address.indices for address in train(100, 10, 20, seed=1)]).tolist()
    assert first[:100].tolist() != list(range(100))


def test_a_resumed_run_goes_on_where_it_stopped() -> None:
    whole = train(37, 5, 30)
    for start in (0, 6, 7, 8, 29, 30):
        rest = train(37, 5, 30, start=start)
        assert [(a.epoch, a.indices.tolist()) for a in rest] == [(a.epoch, a.indices.tolist()) for a in whole[start:]]


@pytest.mark.parametrize(("examples", "world", "size"), [(5, 1, 5), (5, 2, 2), (1, 1, 1), (1, 3, 1), (2, 3, 1)])
def test_a_set_smaller_than_a_batch_makes_one_equal_batch_a_rank(examples: int, world: int, size: int) -> None:
    assert batches_per_epoch(examples, 8, world) == 1
    ranks = [train(examples, 8, 3, rank=rank, world=world) for rank in range(world)]
    assert all([len(address.indices) for address in batches] == [size] * 3 for batches in ranks)
    seen = [i for batches in ranks for i in batches[0].indices.tolist()]
    assert len(set(seen)) == min(len(seen), examples)


def test_no_example_is_an_error() -> None:
    with pytest.raises(UserError, match="empty"):
        batches_per_epoch(0, 4, 1)


def evaluation_batches(examples: int, world: int) -> list[list[list[int]]]:
    """The batches of four of each rank."""
    orders = [EvaluationOrder(examples, batch_size=4, rank=rank, world_size=world) for rank in range(world)]
    ranks = [[address.indices.tolist() for address in order] for order in orders]
    assert [len(order) for order in orders] == [len(batches) for batches in ranks]
    return ranks


@pytest.mark.parametrize("world", [1, 2, 5])
@pytest.mark.parametrize("examples", [5, 7, 20, 23])
def test_evaluation_takes_every_example_once_and_leaves_no_rank_idle(examples: int, world: int) -> None:
    ranks = [EvaluationOrder(examples, batch_size=4, rank=rank, world_size=world) for rank in range(world)]
    batches = [address.indices.tolist() for order in ranks for address in order]
    assert sum(len(order) for order in ranks) == len(batches)
    assert all(len(order) > 0 for order in ranks)
    size = min(4, examples // world)
    assert sorted(batches) == [list(range(examples))[start : start + size] for start in range(0, examples, size)]


def test_fewer_examples_than_devices_cannot_be_evaluated() -> None:
    for examples, world in ((0, 1), (2, 3)):
        with pytest.raises(UserError, match=f"{examples} examples to evaluate are too few for {world} devices"):
            EvaluationOrder(examples, batch_size=4, rank=0, world_size=world)


def test_streams_have_addresses() -> None:
    addresses = [(0, 0, 0, "a"), (1, 0, 0, "a"), (0, 1, 0, "a"), (0, 0, 1, "a"), (0, 0, 0, "b"), (2**63, 5, 2**40, "a")]
    drawn = [tuple(stream(*address).random(4)) for address in addresses]
    assert len(set(drawn)) == len(addresses)
    assert drawn == [tuple(stream(*address).random(4)) for address in addresses]


def test_streams_do_not_overlap() -> None:
    """What one address draws, however much, is not what its neighbour draws."""
    own = stream(0, 0, 5, "a").integers(2**63, size=10_000)
    neighbours = [stream(0, 0, index, "a").integers(2**63, size=10_000) for index in (4, 6)]
    assert not any(np.isin(own, other).any() for other in neighbours)


def test_streams_are_uniform() -> None:
    first = np.array([stream(0, 0, index, "a").random() for index in range(4000)])
    counts, _ = np.histogram(first, bins=10, range=(0, 1))
    assert np.abs(counts - 400).max() < 5 * np.sqrt(400)
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.08
