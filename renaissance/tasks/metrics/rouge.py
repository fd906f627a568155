"""ROUGE-L: the longest row of words, gaps allowed, that a caption and a reference have in the same order.

In: the words of a caption and of its references. Out: a score.

Source: Lin, 2004, https://aclanthology.org/W04-1013, as COCO's evaluation has it: precision and recall each of the
reference where they are highest, and recall weighs more, `BETA` = 1.2.
"""

from __future__ import annotations

from collections.abc import Sequence

BETA = 1.2

Words = Sequence[str]


def rouge_l(caption: Words, references: Sequence[Words]) -> float:
    """The score of a caption, from 0 to 1; 0 without words.

    Args:
        caption: a caption, as words.
        references: the references of its image, at least one.
    """
    common = [_longest_common(caption, reference) for reference in references]
    if not any(common):
        return 0.0
    precision = max(common) / len(caption)
    recall = max(length / max(1, len(words)) for length, words in zip(common, references, strict=True))
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _longest_common(one: Words, other: Words) -> int:
    """The length of the longest common subsequence, by dynamic programming over one row."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = 0  # the entry above and to the left
        for column, candidate in enumerate(other, start=1):
            above = row[column]
            row[column] = before + 1 if word == candidate else max(above, row[column - 1])
            before = above
    return row[-1]
