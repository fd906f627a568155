"""What an epoch takes of weighted data sets and captions: against the definition, frequencies, and resumed orders."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from renaissance.data.batches.order import TrainOrder
from renaissance.data.batches.selection import CaptionDraw, Selection, Share, probabilities_of

SIZES = {"coco": 40, "vg": 100}
COUNTS = np.array([1, 3, 2, 5])
SOURCES = np.array([0, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1])  # of each caption: 0 its own, 1 a synthetic one
# 0.1% points of the chi-square distribution by degrees of freedom (any statistical table)
CHI_SQUARE = {1: 10.83, 2: 13.82, 4: 18.47, 9: 27.88}


def batches(selection: Selection | None, examples: int, total: int, start: int = 0, **order: int) -> list[list[int]]:
    select = None if selection is None else selection.of_epoch
    given = {"batch_size": 6, "seed": 3, "rank": 0, "world_size": 1, **order}
    found = TrainOrder(examples, start_batch=start, total_batches=total, of_epoch=select, **given)
    return [address.indices.tolist() for address in found]


def caption_draw(weights: list[float]) -> CaptionDraw:
    rows = np.repeat(np.arange(len(COUNTS)), COUNTS)
    return CaptionDraw(COUNTS, probabilities_of(rows, SOURCES, np.array(weights)))


def test_weights_are_how_often_an_example_is_seen():
    selection = Selection(SIZES, {"coco": 1, "vg": 0.3}, seed=3)
    assert selection.shares == [Share("coco", 40, 40), Share("vg", 100, 30)]
    assert len(selection) == 70
    epochs = [selection.of_epoch(epoch).tolist() for epoch in range(10)]
    assert all(len(set(epoch)) == 70 for epoch in epochs), "no example twice in an epoch"
    seen = Counter(number for epoch in epochs for number in epoch)
    assert {seen[number] for number in range(40)} == {10}
    assert {seen[number] for number in range(40, 140)} == {3}, "all of them as often"
    assert Selection(SIZES, {"vg": 3}, seed=0).shares == [Share("coco", 40, 13), Share("vg", 100, 100)]
    assert Selection(SIZES, {"vg": 1e-9}, seed=0).shares[1].taken == 1


def test_equal_weights_are_the_order_without_weights():
    for weights in ({}, {"coco": 2, "vg": 2}):
        assert batches(Selection(SIZES, weights, seed=3), 140, 60) == batches(None, 140, 60)


def test_what_is_taken_depends_on_seed_and_epoch_alone():
    one, same, other = (Selection(SIZES, {"vg": 0.3}, seed=seed) for seed in (3, 3, 4))
    assert one.of_epoch(7).tolist() == same.of_epoch(7).tolist() != other.of_epoch(7).tolist()
    assert one.of_epoch(7).tolist() != one.of_epoch(8).tolist()


@pytest.mark.parametrize("captions", [False, True])
@pytest.mark.parametrize(("batch", "accumulate", "world"), [(6, 1, 1), (3, 2, 1), (3, 1, 2), (1, 3, 2)])
def test_a_resumed_run_on_any_devices_goes_on_with_the_same_examples(
    captions: bool, batch: int, accumulate: int, world: int
):
    sizes = {"own": 3, "other": 1} if captions else SIZES
    weights = {"other": 0.5} if not captions else {}
    selection = Selection(sizes, {**weights, "vg": 0.3}, 3, caption_draw([0.7, 0.3]) if captions else None)
    examples, step = len(selection), 2 if captions else 6
    batch = 1 if captions else batch
    whole = batches(selection, examples, 30, batch_size=step)
    accumulate = step // batch // world or 1
    for start in (0, 1, 11, 29):
        fresh = Selection(sizes, {**weights, "vg": 0.3}, 3, caption_draw([0.7, 0.3]) if captions else None)
        given = {"batch_size": batch, "world_size": world, "accumulate": accumulate}
        ranks = [
            batches(fresh, examples, 30 * accumulate, start * accumulate, rank=rank, **given) for rank in range(world)
        ]
        for number, expected in enumerate(whole[start:]):
            parts = [part for rank in ranks for part in rank[number * accumulate : (number + 1) * accumulate]]
            assert sorted(example for part in parts for example in part) == sorted(expected)


def test_batches_mix_the_data_sets_by_chance():
    """Of 12 epochs of 70 examples, how many of each place's batch are vg's: hypergeometric, mean 6 · 30/70."""
    selection = Selection(SIZES, {"vg": 0.3}, seed=1)
    counts = np.zeros(3)
    for batch in batches(selection, 70, 11 * 200, seed=5):
        number = sum(example >= 40 for example in batch)
        counts[min(max(number - 1, 0), 3) if number < 2 else (1 if number < 4 else 2)] += 1
    from math import comb

    exact = [comb(30, k) * comb(40, 6 - k) / comb(70, 6) for k in range(7)]
    expected = counts.sum() * np.array([sum(exact[:2]), sum(exact[2:4]), sum(exact[4:])])
    assert ((counts - expected) ** 2 / expected).sum() < CHI_SQUARE[2]


def test_a_caption_is_drawn_by_the_weight_of_its_source():
    draw = caption_draw([0.7, 0.3])
    drawn = np.stack([draw(np.arange(4), 0, epoch) for epoch in range(6000)])
    assert set(drawn[:, 0]) == {0}
    # Image 1 has two captions of its own and a synthetic one, image 3 two and three of these.
    for image, captions, expected in (
        (1, [1, 2, 3], [0.35, 0.3, 0.35]),
        (2, [4, 5], [0.3, 0.7]),
        (3, [6, 7, 8, 9, 10], [0.075, 0.075, 0.075, 0.7, 0.075]),
    ):
        found = np.array([(drawn[:, image] == caption).sum() for caption in captions])
        assert found.sum() == 6000
        statistic = ((found - 6000 * np.array(expected)) ** 2 / (6000 * np.array(expected))).sum()
        assert statistic < CHI_SQUARE[len(captions) - 1]


def test_images_draw_independently_of_each_other():
    draw = CaptionDraw(np.array([2, 2]), np.array([0.5, 0.5, 0.5, 0.5]))
    pairs = Counter(tuple(draw(np.arange(2), 0, epoch).tolist()) for epoch in range(4000))
    assert sum((pairs[pair] - 1000) ** 2 / 1000 for pair in ((0, 2), (0, 3), (1, 2), (1, 3))) < 16.27  # 3 degrees
    for epoch in range(50):
        assert draw(np.array([1]), 0, epoch) == draw(np.arange(2), 0, epoch)[1]


def test_a_caption_of_weight_nought_is_never_drawn():
    """In 3 million images too, whose running sums are rounded."""
    counts = np.full(3_000_000, 3)
    probabilities = np.tile([0, 1 / 3, 0], 3_000_000)
    drawn = CaptionDraw(counts, probabilities)(np.arange(3_000_000), 0, 0)
    assert np.array_equal(drawn, np.arange(3_000_000) * 3 + 1)
