"""What masked language modelling hides: shares, whole words, and independence of the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from renaissance.data.batches.batch import Batch, Tokens
from renaissance.tasks.behaviours.masked_language_modelling import MaskWords

MASK, VOCABULARY = 4, np.arange(5, 1000)


def make_batch(lengths, words_of_two=True, pad_to=None):
    """Texts of the given numbers of tokens between [CLS]=2 and [SEP]=3, two tokens a word."""
    longest = max(pad_to or 0, *(length + 2 for length in lengths))
    ids = torch.zeros(len(lengths), longest, dtype=torch.long)
    words = torch.full((len(lengths), longest), -1)
    generator = torch.Generator().manual_seed(0)
    for row, length in enumerate(lengths):
        ids[row, : length + 2] = torch.randint(5, 1000, (length + 2,), generator=generator)
        ids[row, 0], ids[row, length + 1] = 2, 3
        words[row, 1 : length + 1] = torch.arange(length) // (2 if words_of_two else 1)
    return Batch(index=torch.arange(len(lengths)), tokens=Tokens(ids, ids > 0, words))


def streams(rows, seed=0):
    return [np.random.default_rng([seed, row]) for row in range(rows)]


def test_shares_of_hidden_tokens_and_their_fates():
    batch = make_batch([40] * 2000)
    drawn = MaskWords(0.15, False, MASK, VOCABULARY)(batch, None, streams(2000))
    chosen = len(drawn["target"])
    assert abs(chosen / (40 * 2000) - 0.15) < 0.005
    new = drawn["replacement"]
    assert abs((new == MASK).float().mean() - 0.8) < 0.02
    # a random token is the old one once in 995 times
    assert abs((new == drawn["target"]).float().mean() - 0.1) < 0.02
    assert (batch.tokens.words[drawn["row"], drawn["column"]] >= 0).all(), "special tokens are never hidden"


def test_whole_words_stay_whole():
    batch = make_batch([40] * 500)
    drawn = MaskWords(0.15, True, MASK, VOCABULARY)(batch, None, streams(500))
    assert abs(len(drawn["target"]) / (40 * 500) - 0.15) < 0.01
    hidden = torch.zeros_like(batch.tokens.mask)
    hidden[drawn["row"], drawn["column"]] = True
    words = batch.tokens.words
    for row in range(500):
        for word in range(20):
            of_word = hidden[row][words[row] == word]
            assert of_word.all() or not of_word.any()


def test_a_text_is_hidden_alike_in_any_batch():
    draw = MaskWords(0.3, True, MASK, VOCABULARY)
    alone = draw(make_batch([10]), None, streams(1))
    padded = draw(make_batch([10], pad_to=50), None, streams(1))
    assert torch.equal(alone["column"], padded["column"])
    assert torch.equal(alone["replacement"], padded["replacement"])


def test_targets_are_what_was_there():
    batch = make_batch([20, 5, 1])
    drawn = MaskWords(0.5, False, MASK, VOCABULARY)(batch, None, streams(3))
    assert torch.equal(drawn["target"], batch.tokens.ids[drawn["row"], drawn["column"]])


@pytest.mark.parametrize("whole_words", [False, True])
def test_of_every_text_at_least_one_word_is_hidden(whole_words):
    """The share is p + (1 - p)^n / n, and which one is taken is as good as any other."""
    rows, words = 4000, 4
    batch = make_batch([2 * words] * rows)
    drawn = MaskWords(0.15, whole_words, MASK, VOCABULARY)(batch, None, streams(rows))
    units = words if whole_words else 2 * words
    assert set(drawn["row"].tolist()) == set(range(rows))
    assert abs(len(drawn["target"]) / (2 * words * rows) - (0.15 + 0.85**units / units)) < 0.01
    places = torch.bincount(drawn["column"])[1:] / len(drawn["target"])
    assert (places - 1 / (2 * words)).abs().max() < 0.01


def test_a_text_without_words_has_none_to_hide():
    drawn = MaskWords(0.15, True, MASK, VOCABULARY)(make_batch([0, 3, 0]), None, streams(3))
    assert set(drawn["row"].tolist()) == {1}
