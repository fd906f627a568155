"""CIDEr-D: how much a caption says of what people say of the same image, and others do not say of other images.

In: the words of a caption and of the references of every image. Out: a score an image, from 0 to 10.

Source: Vedantam, Zitnick and Parikh, 2015, https://arxiv.org/abs/1411.5726. For n from 1 to 4, captions are vectors
of their n-grams' counts, weighed by how rare an n-gram is among the images' references (section 3); CIDEr-D clips the
caption's weights to the reference's and punishes another length (section 5.2, sigma = 6, factor 10). Document
frequencies come from the references given, so scores depend on which images are scored together. Words are stemmed
neither here nor in the authors' code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import exp, log, sqrt

from renaissance.tasks.metrics.bleu import LENGTHS, Words, ngrams

SIGMA = 6.0
FACTOR = 10.0

Vector = Mapping[tuple[str, ...], float]


def cider_d(captions: Sequence[Words], references: Sequence[Sequence[Words]]) -> list[float]:
    """The score of each image's caption.

    Args:
        captions: N captions, as words.
        references: the references of each of the N images, at least one.
    """
    scores = [0.0] * len(captions)
    for length in LENGTHS:
        counted = [[ngrams(words, length) for words in image] for image in references]
        frequency = Counter(ngram for image in counted for ngram in set().union(*image))
        for number, words in enumerate(captions):
            own = _weighed(ngrams(words, length), frequency, len(captions))
            similar = 0.0
            for reference, counts in zip(references[number], counted[number], strict=True):
                near = _clipped_cosine(own, _weighed(counts, frequency, len(captions)))
                similar += near * exp(-((len(words) - len(reference)) ** 2) / (2 * SIGMA**2))
            scores[number] += FACTOR * similar / (len(references[number]) * len(LENGTHS))
    return scores


def _weighed(counts: Counter[tuple[str, ...]], frequency: Counter[tuple[str, ...]], images: int) -> Vector:
    """Counts times the logarithm of images over images with the n-gram; n-grams of no reference count as of one."""
    return {ngram: count * log(images / max(1, frequency[ngram])) for ngram, count in counts.items()}


def _clipped_cosine(caption: Vector, reference: Vector) -> float:
    norms = _norm(caption) * _norm(reference)
    if not norms:
        return 0.0
    return sum(min(weight, reference[ngram]) * reference[ngram] for ngram, weight in caption.items()
               if ngram in reference) / norms  # fmt: skip


def _norm(vector: Vector) -> float:
    return sqrt(sum(weight * weight for weight in vector.values()))
