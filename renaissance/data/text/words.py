"""A text's words as people see them, and which tokens each was read as.

A tokenizer cuts "don't" in three and "pterodactyl" in four; people see one word each. Letters and digits that stand
together are a word, with apostrophes and hyphens inside; signs that stand together are one, each ideograph and each
syllable of a script without spaces is one, and so is the mask token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from renaissance.data.text.processor import Characters

# Scripts that set no spaces between words: Thai to Myanmar, Khmer, kana, ideographs.
UNSPACED = "\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
LETTERS = f"[^\\W{UNSPACED}]"
WORD = f"{LETTERS}+(?:['’\\-]{LETTERS}+)*|[{UNSPACED}]|[^\\w\\s]+|\\S"


@dataclass(frozen=True)
class TokenisedWord:
    """A word of a text.

    Attributes:
        sequence: 0 in the first text, 1 in the second of two that are read together.
        start: its first character.
        end: the character behind its last.
        columns: the places of its tokens among all.
    """

    sequence: int
    start: int
    end: int
    columns: tuple[int, ...]


def words_of(texts: Sequence[str], characters: Sequence[Characters], mask_token: str | None) -> list[TokenisedWord]:
    """The words that were read, in order; those of which no token was kept are left out.

    Args:
        texts: a text, or two that are read together.
        characters: of each token, from `TextProcessor.characters`.
        mask_token: how the texts spell it; None where there is none.
    """
    pattern = re.compile(f"{re.escape(mask_token)}|{WORD}" if mask_token else WORD)
    found = []
    for sequence, text in enumerate(texts):
        word_at = [-1] * len(text)
        spans = [match.span() for match in pattern.finditer(text)]
        for number, (start, end) in enumerate(spans):
            word_at[start:end] = [number] * (end - start)
        columns: dict[int, list[int]] = {}
        for column, place in enumerate(characters):
            if place is not None and place[0] == sequence and word_at[place[1]] >= 0:
                columns.setdefault(word_at[place[1]], []).append(column)
        found += [TokenisedWord(sequence, *spans[number], tuple(own)) for number, own in sorted(columns.items())]
    return found


def in_original(place: int, spelled: str, original: str, text: str) -> int:
    """Where in a user's text a character lies that is at `place` in the text that was read.

    Args:
        place: in the read text.
        spelled: how the read text spells the mask token.
        original: how the user's does.
        text: the user's.
    """
    longer, at = len(spelled) - len(original), text.find(original)
    shift = 0
    while at >= 0 and at + shift + len(spelled) <= place:
        shift += longer
        at = text.find(original, at + len(original))
    return place - shift
