"""The caption metrics against values worked by hand from their definitions."""

from __future__ import annotations

from math import exp, sqrt

import pytest

from renaissance.tasks.common.caption_metrics import caption_metrics, words_of
from renaissance.tasks.common.cider import cider_d

FAR = [["x", "y", "z", "u", "v"]]  # the references of another image, which shares no word


def test_cider_d_of_a_caption_that_equals_its_only_reference_is_ten():
    words = "one small red circle above two boxes".split()
    assert cider_d([words, ["x"]], [[words], FAR])[0] == pytest.approx(10)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        # One reference "c d", two images, so every word of it weighs log 2, and n = 3 and 4 give 0.
        ("c d", 10 * (1 + 1) / 4),
        ("c e", 10 * (1 / 2) / 4),  # cosine of (1, 0, 1) and (1, 1, 0); no common pair of words
        # A word said twice weighs 2, and is clipped to the reference's 1: 1 * 1 / (2 * sqrt 2).
        ("c c", 10 * (1 / (2 * sqrt(2))) / 4),
        # Words: min(2, 1) * 1 + 1 * 1 over sqrt 5 * sqrt 2; pairs: 1 of 2; one word too long: exp(-1 / (2 * 6^2)).
        ("c d c", 10 * (2 / sqrt(10) + 1 / sqrt(2)) * exp(-1 / 72) / 4),
        ("", 0),
    ],
)
def test_cider_d_by_hand(caption, expected):
    references = [[["c", "d"]], FAR]
    assert cider_d([caption.split(), ["x"]], references)[0] == pytest.approx(expected)


def test_cider_d_gives_nothing_for_words_that_every_image_has_and_averages_references():
    references = [[["a", "c"], ["a", "d"]], [["a", "e"]]]
    # "a" weighs log(2 / 2) = 0. "c": cosine 1 with the first reference's words, 0 with the second's; the pair (a, c)
    # likewise.
    scores = cider_d([["a", "c"], ["a"]], references)
    assert scores == pytest.approx([10 * (1 / 2 + 1 / 2) / 4, 0])


def test_bleu_and_rouge_by_hand():
    values = caption_metrics(["The cat sat."], [["the cat sat down", "a cat"]])
    # Every n-gram of "the cat sat" is in the first reference; the nearer reference in length is the first of both
    # (4 and 2 words are as far from 3), so the brevity penalty is exp(1 - 4 / 3).
    assert values["bleu_1"] == pytest.approx(exp(1 - 4 / 3))
    assert values["bleu_3"] == pytest.approx(exp(1 - 4 / 3))
    assert values["bleu_4"] == 0
    # Longest common subsequence 3 of 3 and 4 words: F = 2 * 1 * 0.75 / 1.75.
    assert values["rouge_l"] == pytest.approx(2 * 0.75 / 1.75)


def test_captions_without_words_score_nothing():
    assert set(caption_metrics(["", "..."], [["a cat"], ["!"]]).values()) == {0.0}


def test_words_of_any_script_count():
    assert words_of("Ein Bär, zwei Bären – it's 3!") == ["ein", "bär", "zwei", "bären", "it's", "3"]
