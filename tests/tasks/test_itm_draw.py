"""Which pairs image-text matching makes: the proportion, and that a false partner is never a true one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.fetch import Fetch
from renaissance.data.examples.listed import ListExamples
from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.tasks.behaviours.image_text_matching import DrawPairs


def captions(images, each=5, twins=1):
    """Images with captions side by side; of twins, as many images after one another are the same file."""
    values = [{"image": bytes([row // twins]), "text": f"{row} {n}"} for row in range(images) for n in range(each)]
    return Captions(values, DataNeeds(CAPTIONS, image=True, text=True), each)


class Captions(ListExamples):
    """A list of captions in which several are of one image."""

    def __init__(self, values, needs, each):
        super().__init__(values, needs)
        self.each = each

    def row_of(self, index):
        return index // self.each

    def of_row(self, row):
        return range(row * self.each, (row + 1) * self.each)


class Asked(Fetch):
    """Notes what a collate asks for, every time."""

    def __init__(self, examples, own):
        super().__init__(examples, own)
        self.asked_images, self.asked_texts = [], []

    def image(self, index, column="image", box=None):
        self.asked_images.append(index)
        return 1000 + len(self.asked_images) - 1

    def text(self, index):
        self.asked_texts.append(index)
        return 1000 + len(self.asked_texts) - 1


def make_batch(rows):
    return Batch(index=torch.tensor(rows) * 5, row=torch.tensor(rows))


def streams(rows, seed=0):
    return [np.random.default_rng([seed, row]) for row in range(rows)]


@pytest.mark.parametrize(("images", "texts", "true_share"), [(1, 0, 1 / 2), (1, 1, 1 / 3), (0, 3, 1 / 4)])
def test_the_proportion_of_true_pairs(images, texts, true_share):
    keys = [row % 40 for row in range(6000)]
    drawn = DrawPairs(images, texts, "batch")(make_batch(keys), Asked(captions(40), 6000), streams(6000))
    assert abs(drawn["label"].float().mean() - true_share) < 0.02
    rows = torch.arange(6000)
    changed_image, changed_text = drawn["image_row"] != rows, drawn["text_row"] != rows
    assert not (changed_image & changed_text).any()
    assert torch.equal(drawn["label"] == 0, changed_image | changed_text)
    share = changed_image.sum() / (changed_image | changed_text).sum()
    assert abs(share - images / (images + texts)) < 0.03


def test_a_false_partner_in_the_batch_shows_another_image():
    keys = [0, 0, 0, 0, 0, 1, 1, 2]
    for seed in range(50):
        drawn = DrawPairs(1, 1, "batch")(make_batch(keys), Asked(captions(40), 8), streams(8, seed))
        image_keys = torch.tensor(keys)
        same = image_keys[drawn["image_row"]] == image_keys[drawn["text_row"]]
        assert torch.equal(same, drawn["label"] == 1)


def test_a_batch_of_one_image_takes_false_partners_from_the_data_set():
    fetch = Asked(captions(40), 300)
    drawn = DrawPairs(1, 1, "batch")(make_batch([3] * 300), fetch, streams(300))
    assert 50 < (drawn["label"] == 1).sum() < 150
    assert not set(fetch.asked_images + fetch.asked_texts) & set(range(15, 20))


@pytest.mark.parametrize("false_from", ["batch", "dataset"])
@pytest.mark.parametrize(("images", "texts"), [(1, 0), (0, 1)])
def test_what_belongs_together_by_chance_is_no_false_partner(images, texts, false_from):
    keys = [0, 1, 2] * 500
    fetch = Asked(captions(40, twins=2), len(keys))
    drawn = DrawPairs(images, texts, false_from)(make_batch(keys), fetch, streams(len(keys)))
    added = fetch.asked_images if images else fetch.asked_texts
    for row in np.flatnonzero(drawn["label"] == 0):
        partner = int((drawn["image_row"] if images else drawn["text_row"])[row])
        other = added[partner - 1000] // 5 if partner >= 1000 and false_from == "dataset" else keys[partner]
        assert other // 2 != keys[row] // 2
    assert abs(drawn["label"].float().mean() - 0.5) < 0.06


def test_a_batch_of_twins_takes_false_partners_from_the_data_set():
    fetch = Asked(captions(40, twins=2), 300)
    drawn = DrawPairs(1, 1, "batch")(make_batch([6, 7] * 150), fetch, streams(300))
    assert 50 < (drawn["label"] == 1).sum() < 150
    assert not set(fetch.asked_images + fetch.asked_texts) & set(range(30, 40))


def test_a_data_set_of_one_image_has_only_true_pairs():
    fetch = Asked(captions(1, each=3), 3)
    drawn = DrawPairs(1, 1, "batch")(
        Batch(index=torch.arange(3), row=torch.zeros(3, dtype=torch.long)), fetch, streams(3)
    )
    assert drawn["label"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(("images", "texts"), [(1, 0), (0, 1)])
def test_a_false_partner_from_the_data_set_is_never_of_the_same_image(images, texts):
    fetch, keys = Asked(captions(40), 2000), [7] * 2000
    drawn = DrawPairs(images, texts, "dataset")(make_batch(keys), fetch, streams(2000))
    added = fetch.asked_images if images else fetch.asked_texts
    assert len(added) == int((drawn["label"] == 0).sum())
    assert not set(added) & set(range(35, 40))
    assert set(added) == set(range(200)) - set(range(35, 40)), "every other example can be drawn"
