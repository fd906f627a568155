"""Which pairs image-text matching makes: the proportion, and that a false partner is never a true one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from renaissance.data.batches.batch import Batch
from renaissance.tasks.behaviours.image_text_matching import ItmDraw


class Source:
    """Forty images with five captions each, side by side."""

    def __len__(self):
        return 200

    def belongs(self, text, image):
        return text // 5 == image // 5


class OneImage:
    """One image with three captions."""

    def __len__(self):
        return 3

    def belongs(self, text, image):
        return True


class TwinImages(Source):
    """Forty images, each of them twice."""

    def belongs(self, text, image):
        return text // 10 == image // 10


class Drawer:
    """Notes what a draw asks for."""

    source = Source()

    def __init__(self, examples):
        self.rows = {"image": list(range(examples)), "text": list(range(examples))}
        self.images, self.texts = [], []

    def add_image(self, example):
        self.images.append(example)
        return 1000 + len(self.images) - 1

    def add_text(self, example):
        self.texts.append(example)
        return 1000 + len(self.texts) - 1


def make_batch(keys):
    return Batch(index=torch.tensor(keys) * 5, image_key=torch.tensor(keys))


def streams(rows, seed=0):
    return [np.random.default_rng([seed, row]) for row in range(rows)]


@pytest.mark.parametrize(("images", "texts", "true_share"), [(1, 0, 1 / 2), (1, 1, 1 / 3), (0, 3, 1 / 4)])
def test_the_proportion_of_true_pairs(images, texts, true_share):
    keys = [row % 40 for row in range(6000)]
    drawn = ItmDraw(images, texts, "batch")(make_batch(keys), Drawer(6000), streams(6000))
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
        drawn = ItmDraw(1, 1, "batch")(make_batch(keys), Drawer(8), streams(8, seed))
        image_keys = torch.tensor(keys)
        same = image_keys[drawn["image_row"]] == image_keys[drawn["text_row"]]
        assert torch.equal(same, drawn["label"] == 1)


def test_a_batch_of_one_image_takes_false_partners_from_the_data_set():
    drawer = Drawer(300)
    drawn = ItmDraw(1, 1, "batch")(make_batch([3] * 300), drawer, streams(300))
    assert 50 < (drawn["label"] == 1).sum() < 150
    assert not set(drawer.images + drawer.texts) & set(range(15, 20))


@pytest.mark.parametrize("false_from", ["batch", "dataset"])
@pytest.mark.parametrize(("images", "texts"), [(1, 0), (0, 1)])
def test_what_belongs_together_by_chance_is_no_false_partner(images, texts, false_from):
    keys = [0, 1, 2] * 500
    drawer = Drawer(len(keys))
    drawer.source = TwinImages()
    drawn = ItmDraw(images, texts, false_from)(make_batch(keys), drawer, streams(len(keys)))
    added = drawer.images if images else drawer.texts
    for row in np.flatnonzero(drawn["label"] == 0):
        partner = int((drawn["image_row"] if images else drawn["text_row"])[row])
        other = added[partner - 1000] // 5 if partner >= 1000 and false_from == "dataset" else keys[partner]
        assert other // 2 != keys[row] // 2
    assert abs(drawn["label"].float().mean() - 0.5) < 0.06


def test_a_batch_of_twins_takes_false_partners_from_the_data_set():
    drawer = Drawer(300)
    drawer.source = TwinImages()
    drawn = ItmDraw(1, 1, "batch")(make_batch([6, 7] * 150), drawer, streams(300))
    assert 50 < (drawn["label"] == 1).sum() < 150
    assert not set(drawer.images + drawer.texts) & set(range(30, 40))


def test_a_data_set_of_one_image_has_only_true_pairs():
    drawer = Drawer(3)
    drawer.source = OneImage()
    drawn = ItmDraw(1, 1, "batch")(make_batch([0, 0, 0]), drawer, streams(3))
    assert drawn["label"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(("images", "texts"), [(1, 0), (0, 1)])
def test_a_false_partner_from_the_data_set_is_never_of_the_same_image(images, texts):
    drawer, keys = Drawer(2000), [7] * 2000
    drawn = ItmDraw(images, texts, "dataset")(make_batch(keys), drawer, streams(2000))
    added = drawer.images if images else drawer.texts
    assert len(added) == int((drawn["label"] == 0).sum())
    assert not set(added) & set(range(35, 40))
    assert set(added) == set(range(200)) - set(range(35, 40)), "every other example can be drawn"
