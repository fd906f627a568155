"""Hard false pairs: drawn in proportion to the similarity, never one that belongs together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from renaissance.data.streams import stream
from renaissance.tasks.behaviours.hard_pairs import DrawHardPairs, hard_pairs
from renaissance.tasks.common.joint_features import JointFeatures

EXAMPLES, DRAWS = 6, 2000
TEXT_ID = torch.tensor([1, 2, 3, 2, 5, 6])  # texts 1 and 3 are alike
IMAGE_ID = torch.tensor([1, 2, 3, 4, 1, 6])  # images 0 and 4 are alike


def joint(text_id=TEXT_ID, image_id=IMAGE_ID) -> JointFeatures:
    random = torch.Generator().manual_seed(0)
    text, image = (F.normalize(torch.randn(EXAMPLES, 4, generator=random), dim=-1) for _ in range(2))
    return JointFeatures(text, image, text_id, image_id, scale=torch.tensor(3.0))


@pytest.mark.parametrize("swap_image", [True, False])
def test_frequencies_are_in_proportion_to_the_similarities(swap_image):
    space = joint()
    candidates = {
        0: [1, 2, 3, 5],
        1: [0, 2, 4, 5],
        2: [0, 1, 3, 4, 5],
        3: [0, 2, 4, 5],
        4: [1, 2, 3, 5],
        5: [0, 1, 2, 3, 4],
    }
    counts = np.zeros((EXAMPLES, EXAMPLES))
    for number in np.random.default_rng(0).random((DRAWS, EXAMPLES)):
        drawn = {
            "false": torch.ones(EXAMPLES).bool(),
            "swap_image": torch.full((EXAMPLES,), swap_image),
            "number": torch.from_numpy(number),
        }
        pairs = hard_pairs(drawn, space)
        own, partners = ("text_row", "image_row") if swap_image else ("image_row", "text_row")
        assert pairs[own].tolist() == [*range(EXAMPLES)]
        assert not pairs["label"].any()
        counts[np.arange(EXAMPLES), pairs[partners].numpy()] += 1
    for row, allowed in candidates.items():
        weights = {
            other: float(torch.exp(3 * (space.text[row] @ space.image[other] if swap_image
                                        else space.image[row] @ space.text[other]))) for other in allowed
        }  # fmt: skip
        assert counts[row].nonzero()[0].tolist() == allowed, "never one that belongs"
        for other, weight in weights.items():
            share = weight / sum(weights.values())
            assert counts[row, other] / DRAWS == pytest.approx(share, abs=4 * (share * (1 - share) / DRAWS) ** 0.5)


def test_numbers_at_the_ends_draw_candidates_too():
    for number in (0.0, 1 - 2**-53):
        drawn = {"false": torch.ones(EXAMPLES).bool(), "swap_image": torch.ones(EXAMPLES).bool(),
                 "number": torch.full((EXAMPLES,), number, dtype=torch.float64)}  # fmt: skip
        partners = hard_pairs(drawn, joint())["image_row"].tolist()
        assert all(partner != row for row, partner in enumerate(partners))
        assert (partners[1], partners[3]) == ((0, 0) if number == 0 else (5, 5))


def test_a_pair_that_all_belong_to_stays_a_true_one():
    drawn = {"false": torch.ones(EXAMPLES).bool(), "swap_image": torch.zeros(EXAMPLES).bool(),
             "number": torch.full((EXAMPLES,), 0.5)}  # fmt: skip
    pairs = hard_pairs(drawn, joint(image_id=torch.ones(EXAMPLES).long()))
    assert pairs["label"].tolist() == [1] * EXAMPLES
    assert pairs["text_row"].tolist() == pairs["image_row"].tolist() == [*range(EXAMPLES)]


def test_what_is_false_is_drawn_as_often_as_the_settings_say(ask):
    asked = ask(
        "itm", training=True, itm_false_from="hard", beside={"contrastive": 1}, draw_false_image=1, draw_false_text=2
    )
    whole = asked.maker.make([*range(16)]).collated["itm"]
    alone = asked.maker.make([7]).collated["itm"]
    assert all(alone[name][0] == whole[name][7] for name in whole), "whatever batch it comes in"
    drawn = DrawHardPairs(1, 2)(None, None, [stream(0, 0, index, "draw itm") for index in range(3000)])
    assert drawn["false"].float().mean() == pytest.approx(3 / 4, abs=0.03)
    assert drawn["swap_image"][drawn["false"]].float().mean() == pytest.approx(1 / 3, abs=0.03)
    assert "label" in ask("itm", itm_false_from="hard", beside={"contrastive": 1}).step().batch.collated["itm"], (
        "a validation asks of the split"
    )


def test_without_a_joint_space_it_is_an_error_and_not_a_draw_at_random(ask):
    asked = ask("itm", training=True, itm_false_from="hard", beside={"contrastive": 1})
    with pytest.raises(RuntimeError, match="comes first"):
        asked.task(asked.step())
