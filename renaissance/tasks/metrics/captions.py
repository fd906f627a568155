"""Generated captions against the references: BLEU-1 to 4, ROUGE-L and CIDEr-D, as COCO's evaluation defines them.

In: a caption and the references of each image, as texts. Out: a value a metric for all of them together, equal to
those of `pycocoevalcap` on the same words. Both sides are cut into words alike (`ptb.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from renaissance.tasks.metrics.bleu import LENGTHS, bleu
from renaissance.tasks.metrics.cider import cider_d
from renaissance.tasks.metrics.ptb import words_of
from renaissance.tasks.metrics.rouge import rouge_l


def caption_metrics(captions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """The metrics by name: `bleu_1` to `bleu_4` and `rouge_l` from 0 to 1, `cider_d` from 0 to 10.

    Args:
        captions: N generated captions.
        references: the references of each of the N images, at least one.
    """
    written = [words_of(text) for text in captions]
    meant = [[words_of(text) for text in texts] for texts in references]
    values = {f"bleu_{length}": score for length, score in zip(LENGTHS, bleu(written, meant), strict=True)}
    values["rouge_l"] = _mean([rouge_l(words, texts) for words, texts in zip(written, meant, strict=True)])
    values["cider_d"] = _mean(cider_d(written, meant))
    return values


def _mean(scores: Sequence[float]) -> float:
    return sum(scores) / len(scores)
