"""BLEU: how many of a caption's runs of 1 to 4 words its references have too.

In: the words of a caption and of the references of every image. Out: BLEU-1 to 4 of all of them together.

Source: Papineni et al., 2002, https://aclanthology.org/P02-1040, as COCO's evaluation has it: of references that are
as near in length the shorter counts, whatever their order, and two small numbers stand against division by zero, so
that BLEU-4 without a common run of 4 words is not 0 but some 1e-4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import reduce
from math import exp
from operator import or_

LENGTHS = (1, 2, 3, 4)  # of n-grams
TINY, SMALL = 1e-15, 1e-9  # COCO's, added above and below the line

Words = Sequence[str]


def bleu(captions: Sequence[Words], references: Sequence[Sequence[Words]]) -> list[float]:
    """BLEU-1, 2, 3 and 4, from 0 to 1.

    Args:
        captions: N captions, as words.
        references: the references of each of the N images, at least one.
    """
    written = sum(len(words) for words in captions)
    meant = sum(_nearest_length(len(words), texts) for words, texts in zip(captions, references, strict=True))
    ratio = (written + TINY) / (meant + SMALL)
    brevity = exp(1 - 1 / ratio) if ratio < 1 else 1.0
    scores, product = [], 1.0
    for length in LENGTHS:
        matched = sum(_matches(words, texts, length) for words, texts in zip(captions, references, strict=True))
        there = sum(max(0, len(words) - length + 1) for words in captions)
        product *= (matched + TINY) / (there + SMALL)
        scores.append(brevity * product ** (1 / length))
    return scores


def ngrams(words: Words, length: int) -> Counter[tuple[str, ...]]:
    """How often each run of `length` words occurs."""
    return Counter(tuple(words[start : start + length]) for start in range(len(words) - length + 1))


def _nearest_length(length: int, references: Sequence[Words]) -> int:
    """The length of the reference that is nearest in length, the shorter of two that are as near."""
    return min((len(words) for words in references), key=lambda other: (abs(other - length), other))


def _matches(words: Words, references: Sequence[Words], length: int) -> int:
    """How many of a caption's n-grams a reference has, each as often as the reference that has it most."""
    most = reduce(or_, (ngrams(reference, length) for reference in references))
    return (ngrams(words, length) & most).total()
