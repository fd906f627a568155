"""What guessing reaches: by hand, and by guessing."""

from __future__ import annotations

import pytest
import torch

from renaissance.tasks.metrics.recall import chance_recalls, ranks_of_best, recalls
from renaissance.tracking.chance import add_chance, read_chance


def test_chance_of_recall_by_hand():
    of_split = chance_recalls(torch.tensor([2, 1, 1]))  # 3 images with 4 texts
    assert of_split["ir_r1"] == pytest.approx(1 / 3)
    assert of_split["ir_r5"] == of_split["ir_r10"] == 1
    # The image with 2 of 4 texts finds one at the first place with 2/4, the others with 1/4 each.
    assert of_split["tr_r1"] == pytest.approx((2 / 4 + 1 / 4 + 1 / 4) / 3)
    assert of_split["tr_r5"] == of_split["tr_r10"] == 1
    many = chance_recalls(torch.tensor([5] * 100))
    assert many["ir_r10"] == pytest.approx(10 / 100)
    missed = 495 * 494 * 493 * 492 * 491 / (500 * 499 * 498 * 497 * 496)
    assert many["tr_r5"] == pytest.approx(1 - missed)
    assert chance_recalls(torch.tensor([2, 0, 1, 1])) == of_split, "an image without texts counts for nothing"


def test_random_scores_reach_the_chance_of_recall():
    own = torch.tensor([1, 4, 2, 5, 3, 1] * 5)  # 30 images with 80 texts
    owner = torch.arange(len(own)).repeat_interleave(own)
    text, generator, rounds = torch.arange(len(owner)), torch.Generator().manual_seed(0), 400
    sums = dict.fromkeys(chance_recalls(own), 0.0)
    for _ in range(rounds):
        scores = torch.rand(len(owner), len(own), generator=generator)
        for name, value in recalls(ranks_of_best(scores, text, owner), ranks_of_best(scores.T, owner, text)).items():
            sums[name] += value / rounds
    assert sums == pytest.approx(chance_recalls(own), abs=0.01)


def test_chances_of_several_splits_are_kept_in_one_file(tmp_path):
    path = tmp_path / "chance.json"
    add_chance(path, {})
    assert not path.exists(), "tasks without any leave no file"
    add_chance(path, {"itm/val/accuracy": 0.5})
    written = path.stat().st_mtime_ns
    add_chance(path, {"itm/val/accuracy": 0.5})
    assert path.stat().st_mtime_ns == written
    add_chance(path, {"itm/test/accuracy": 0.5})
    assert read_chance(path) == {"itm/val/accuracy": 0.5, "itm/test/accuracy": 0.5}
    path.write_text("[1]")
    assert read_chance(path) == {}
