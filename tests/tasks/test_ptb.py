"""The words of captions against Stanford's PTBTokenizer as COCO's evaluation uses it."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from renaissance.tasks.metrics.ptb import words_of

# What PTBTokenizer 3.4.1 gave with -preserveLines -lowerCase, COCO's punctuation left out.
RECORDED = {
    "A man's dog isn't his, they've said.": "a man 's dog is n't his they 've said",
    "I can't, won't, he'd, I'll, I'm": "i ca n't wo n't he 'd i 'll i 'm",
    "cannot gonna wanna gotta 'tis": "can not gon na wan na got ta 't is",
    "the dogs' owners; the '90s rock 'n' roll": "the dogs owners the '90s rock 'n' roll",
    "it’s the man’s dog — isn’t it": "it 's the man 's dog is n't it",
    'a sign saying "STOP" and ‘GO’': "a sign saying stop and go",
    "a 'fold-over flap' in the 1990's": "a fold-over flap in the 1990 's",
    "Mr. Smith of St. Louis at 5 p.m. in the U.S.": "mr. smith of st. louis at 5 p.m. in the u.s.",
    "no. 5, no.": "no. 5 no",
    "a T-shirt -- a man - a red/white 5-year-old": "a t-shirt a man a red/white 5-year-old",
    "1,000 people at 12:30pm, 6:55, 50% off, $1.50": "1,000 people at 12:30 pm 6:55 50 % off $ 1.50",
    "AT&T & co. &amp; R&B": "at&t & co. & r&b",
    "wait... what?! no!! yes?": "wait what ?! no !! yes",
    "(a man) [a dog]": "-lrb- a man -rrb- -lsb- a dog -rsb-",
    "cat,dog. The end.The start": "cat dog the end.the start",
    "a*b +1 = @home / www.a.com, #tag": "a * b +1 = @home / www.a.com #tag",
    "ma'am hors d'oeuvres, O'Neil y'all": "ma'am hors d'oeuvres o'neil y' all",
    "Ein Bär, naïve-looking 日本語 😀 ♥": "ein bär naïve-looking 日本語 ♥",
    "Man with dog . . ... -": "man with dog",
    "": "",
}


@pytest.mark.parametrize("text", RECORDED)
def test_words_are_those_that_the_tokenizer_gave(text):
    assert " ".join(words_of(text)) == RECORDED[text]


def tokenized_by_coco(texts: list[str]) -> list[list[str]]:
    """The words of texts by COCO's evaluation itself, which runs Java."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    if shutil.which("java") is None:
        pytest.skip("no Java to run Stanford's PTBTokenizer")
    found = PTBTokenizer().tokenize({number: [{"caption": text}] for number, text in enumerate(texts)})
    return [found[number][0].split() for number in range(len(texts))]


def test_what_was_recorded_is_what_the_tokenizer_gives():
    texts = [text for text in RECORDED if text]
    assert [" ".join(words) for words in tokenized_by_coco(texts)] == [RECORDED[text] for text in texts]


def test_words_of_real_captions_are_the_tokenizers(real_data):
    with (real_data / "flickr8k" / "captions.csv").open(newline="", encoding="utf-8") as file:
        texts = [row["caption"] for row in csv.DictReader(file)]
    for path in sorted((real_data / "coco" / "annotations").glob("captions_*.json")):
        texts += [each["caption"] for each in json.loads(path.read_text())["annotations"]]
    regions = json.loads((real_data / "vg" / "annotations" / "region_descriptions.json").read_text())
    texts += [region["phrase"] for image in regions for region in image["regions"]]
    different = [
        (text, ours, theirs)
        for text, theirs in zip(texts, tokenized_by_coco(texts), strict=True)
        if (ours := words_of(text)) != theirs
    ]
    assert len(texts) > 7000
    assert different == []
