"""The caption metrics against values worked by hand from their definitions, and against COCO's own evaluation."""

from __future__ import annotations

import csv
from collections import defaultdict
from math import exp, sqrt

import pytest

from renaissance.tasks.metrics.captions import caption_metrics
from renaissance.tasks.metrics.cider import cider_d
from renaissance.tasks.metrics.ptb import words_of

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
    # Every word of "the cat sat" is in the first reference; the references have 4 and 2 words, both one away from 3,
    # so the shorter counts and nothing is too short.
    assert values["bleu_1"] == pytest.approx(1)
    assert values["bleu_3"] == pytest.approx(1)
    # Precision 3 / 3 and recall 3 / 4, both of the first reference: (1 + 1.44) * 0.75 / (0.75 + 1.44).
    assert values["rouge_l"] == pytest.approx(2.44 * 0.75 / 2.19)


def test_rouge_takes_precision_and_recall_from_the_references_where_each_is_highest():
    values = caption_metrics(["a b c d"], [["a b c d e f g h", "a b"]])  # precision 4 / 4 and recall 2 / 2
    assert values["rouge_l"] == pytest.approx(1)


def test_captions_without_words_score_nothing():
    assert caption_metrics(["", "..."], [["a cat"], ["!"]]) == pytest.approx(dict.fromkeys(NAMES, 0))


NAMES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider_d")


def by_coco(captions, references):
    """The metrics by `pycocoevalcap`, on the words of ours."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    meant = {number: [" ".join(words_of(text)) for text in texts] for number, texts in enumerate(references)}
    written = {number: [" ".join(words_of(text))] for number, text in enumerate(captions)}
    scores = [*Bleu(4).compute_score(meant, written, verbose=0)[0]]
    scores += [float(metric.compute_score(meant, written)[0]) for metric in (Rouge(), Cider())]
    return dict(zip(NAMES, scores, strict=True))


@pytest.mark.parametrize("order", [1, -1])
def test_invented_captions_score_as_in_cocos_evaluation_in_any_order_of_references(order):
    captions = ["a dog runs on the grass", "two red boxes", "", "the the the man", "a cat sat on a mat near a door"]
    references = [
        ["A dog is running across grass.", "dog", "The brown dog runs on the green grass!"],
        ["two big red boxes", "red"],
        ["a man's hat"],
        ["the man", "a man with the dog and the cat"],
        ["a cat on the mat", "there's a cat that sat on a mat near the old wooden door", "a cat sat near a door"],
    ]
    references = [texts[::order] for texts in references]
    assert caption_metrics(captions, references) == pytest.approx(by_coco(captions, references), abs=1e-9)


def test_a_caption_whose_runs_of_words_no_reference_has_scores_as_in_cocos_evaluation():
    captions, references = ["one two three four five six"], [["six five four three two one"]]
    found = caption_metrics(captions, references)
    assert found == pytest.approx(by_coco(captions, references), abs=1e-9)
    assert 0 < found["bleu_4"] < 1e-3


def test_real_captions_score_as_in_cocos_evaluation(real_data):
    texts = defaultdict(list)
    with (real_data / "flickr8k" / "captions.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            texts[row["image"]].append(row["caption"])
    captions, references = zip(*((first, rest) for first, *rest in texts.values()), strict=True)
    found = caption_metrics(captions, references)
    assert found == pytest.approx(by_coco(captions, references), abs=1e-9)
    assert found["cider_d"] > 0.5
