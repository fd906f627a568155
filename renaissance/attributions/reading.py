"""An example's texts as a model reads them: words as people see them, and the tokens with some of them covered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from renaissance.attributions.attribution import Word
from renaissance.data.batches.batch import Tokens
from renaissance.data.batches.collate import pad_texts
from renaissance.data.text.processor import TextProcessor
from renaissance.data.text.words import TokenisedWord, in_original, words_of
from renaissance.inference.inputs import MASK

FIELDS = ("text", "text_pair")


class Reading:
    """A text, or two that are read together.

    Args:
        processor: the tokenizer.
        text: the text, with the mask token as the tokenizer spells it.
        pair: the second text; None where there is none.
        given: the same texts as the user gave them, by their fields.

    Attributes:
        words: the words that are read.
    """

    def __init__(self, processor: TextProcessor, text: str, pair: str | None, given: Mapping[str, Any]) -> None:
        self._processor = processor
        self._given = given
        self._mask = processor.mask_token if processor.has_mask else None
        segments: list[Any] = []
        if pair is None:
            (encoded,) = processor.encode([text])
        else:
            (encoded,), segments = processor.encode_pairs([text], [pair])
        self._encoded, self._segments = encoded, segments
        texts = [text] if pair is None else [text, pair]
        self.words: list[TokenisedWord] = words_of(texts, processor.characters(text, pair), self._mask)

    @property
    def covers_with(self) -> str:
        """What a word that is covered becomes, in words."""
        return "left out" if self._mask is None else f"replaced by {self._mask}"

    def word(self, word: TokenisedWord, value: float) -> Word:
        """A word with its value, its characters counted in the text that the user gave."""
        field = FIELDS[word.sequence]
        text = self._given[field]
        start, end = word.start, word.end
        if self._mask is not None and self._mask != MASK:
            start, end = (in_original(place, self._mask, MASK, text) for place in (start, end))
        return Word(field, text[start:end], start, end, value)

    def tokens(self, covered: Sequence[Sequence[int]]) -> Tokens:
        """Variants of the texts (B, L), the tokens at some columns covered: by the mask token, or left out."""
        ids, words = self._encoded
        rows, segments = [], []
        for columns in covered:
            own = list(columns)
            if self._mask is not None:
                changed = ids.copy()
                changed[own] = self._processor.mask_id
                rows.append((changed, words))
            else:
                rows.append((np.delete(ids, own), np.delete(words, own)))
            if self._segments:
                segments.append(self._segments[0] if self._mask is not None else np.delete(self._segments[0], own))
        return pad_texts(rows, segments, pad_id=self._processor.pad_id)
