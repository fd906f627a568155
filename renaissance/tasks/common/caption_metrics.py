"""Generated captions against the references: BLEU-1 to 4, ROUGE-L and CIDEr-D.

In: a caption and the references of each image, as texts. Out: a value a metric for all of them together.

BLEU (Papineni et al., 2002) and ROUGE-L (Lin, 2004; the F-measure against the nearest reference) are torchmetrics'.
Both sides are cut into words alike: lower case, letters and digits of any script, punctuation left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from torchmetrics.functional.text import bleu_score, rouge_score

from renaissance.tasks.common.cider import cider_d

WORD = re.compile(r"\w+(?:['’]\w+)*")
BLEU_LENGTHS = (1, 2, 3, 4)


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return WORD.findall(text.lower())


def caption_metrics(captions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """The metrics by name: `bleu_1` to `bleu_4` and `rouge_l` from 0 to 1, `cider_d` from 0 to 10.

    Args:
        captions: N generated captions.
        references: the references of each of the N images, at least one.
    """
    written = [words_of(text) for text in captions]
    meant = [[words_of(text) for text in texts] for texts in references]
    spaced = [" ".join(words) for words in written], [[" ".join(words) for words in texts] for texts in meant]
    values = {f"bleu_{length}": float(bleu_score(*spaced, n_gram=length)) for length in BLEU_LENGTHS}
    rouge = rouge_score(*spaced, rouge_keys="rougeL", normalizer=str, tokenizer=str.split)
    values["rouge_l"] = float(rouge["rougeL_fmeasure"])
    scores = cider_d(written, meant)
    values["cider_d"] = sum(scores) / len(scores)
    return values
