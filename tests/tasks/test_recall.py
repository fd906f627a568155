"""Recall at K against a ranking by hand, ties and scores that are no numbers included."""

from __future__ import annotations

import pytest
import torch

from renaissance.tasks.metrics.recall import RANKS, recalls_of_all_scores


def test_by_hand_with_ties() -> None:
    """Two images (rows 3 and 7), three texts; the last one's scores are equal, so its own image counts as second."""
    scores = [(3, [0.9, 0.1]), (3, [0.2, 0.6]), (7, [0.5, 0.5])]
    found = recalls_of_all_scores([(row, torch.tensor(one)) for row, one in scores], [3, 7])
    assert found["ir_r1"] == pytest.approx(1 / 3)
    assert found["ir_r5"] == 1.0
    # Image 3: its best text, 0.9, is the best of all. Image 7: its own text has 0.5, another one 0.6.
    assert found["tr_r1"] == 0.5
    assert found["tr_r10"] == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_equals_a_naive_ranking(seed: int) -> None:
    torch.manual_seed(seed)
    rows = [10, 11, 12, 20, 30, 31, 32, 33, 34, 35, 36, 37]
    owners = [rows[number % len(rows)] for number in range(30)]
    table = torch.randint(0, 9, (30, 12)).float()  # many ties
    ranks_of_images, ranks_of_texts = [], []
    for owner, scores in zip(owners, table.tolist(), strict=True):
        own = scores[rows.index(owner)]
        ranks_of_images.append(sum(score >= own for row, score in zip(rows, scores, strict=True) if row != owner))
    for column, row in enumerate(rows):
        own = max(table[text, column] for text in range(30) if owners[text] == row)
        ranks_of_texts.append(sum(table[text, column] >= own for text in range(30) if owners[text] != row))
    found = recalls_of_all_scores(list(zip(owners, table, strict=True)), rows)
    for most in RANKS:
        assert found[f"ir_r{most}"] == pytest.approx(sum(rank < most for rank in ranks_of_images) / 30)
        assert found[f"tr_r{most}"] == pytest.approx(sum(rank < most for rank in ranks_of_texts) / 12)


def test_scores_that_are_no_numbers_are_no_hits() -> None:
    found = recalls_of_all_scores([(row, torch.full((2,), torch.nan)) for row in (0, 1)], [0, 1])
    assert (found["ir_r1"], found["tr_r1"]) == (0.0, 0.0)
