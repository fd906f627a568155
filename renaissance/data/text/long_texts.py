"""Texts with more tokens than fit: which of them stay.

In: a text's tokens, all of them. Out: as many as fit, with the special tokens around them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Regex, Tokenizer, normalizers, pre_tokenizers

from renaissance.data.text.tokenizer_types import ANY_CHARACTER
from renaissance.errors import UserError

SPECIAL_WORD = -1  # the word number of tokens that stand for no piece of text
CHARACTERS_A_TOKEN = 8  # more than English has, in any tokenizer's pieces or words

Encoded = tuple[NDArray[np.int64], NDArray[np.int64]]  # token numbers (L,), word numbers (L,)


@dataclass(frozen=True)
class Cutter:
    """Cuts texts to a number of tokens.

    Attributes:
        longest: most tokens a text, special ones included.
        first: special tokens before a text.
        last: special tokens behind it.
        keep: "from_start", "from_end", or "uniform", which is a window at a random place.
    """

    longest: int
    first: int
    last: int
    keep: str

    @classmethod
    def of(cls, tokenizer: Tokenizer, longest: int, keep: str) -> Cutter:
        """The cutter for a tokenizer.

        Raises:
            UserError: the special tokens alone take `longest`.
        """
        texts = ("a", *tokenizer.get_vocab())  # one of them has a token, as every tokenizer has tokens
        sides = next((found for text in texts if 0 in (found := tokenizer.encode(text).sequence_ids)), [0])
        first = sides.index(0)
        last = sides[::-1].index(0)
        if first + last >= longest:
            raise UserError(
                f"max_text_len={longest} leaves no room beside the tokenizer's {first + last} special tokens."
            )
        return cls(longest, first, last, keep)

    def __call__(self, encoding: Encoding, stream: np.random.Generator | None) -> Encoded:
        """Token and word numbers, both (L,), L at most `longest`; words are counted from the first that stays.

        Args:
            encoding: all tokens of a text.
            stream: where "uniform" draws from; None: it keeps the start, as in evaluation.
        """
        ids = np.array(encoding.ids, np.int64)
        words = np.array([SPECIAL_WORD if word is None else word for word in encoding.word_ids], np.int64)
        if len(ids) <= self.longest:
            return ids, words
        kept = self.kept(len(ids), stream)
        ids, words = ids[kept], words[kept]
        real = words != SPECIAL_WORD
        words[real] -= words[real].min(initial=len(encoding))
        return ids, words

    def kept(self, tokens: int, stream: np.random.Generator | None) -> NDArray[np.int64]:
        """Which of a text's tokens stay, by their numbers, in order.

        Args:
            tokens: how many the text has, special ones included.
            stream: as for a call.
        """
        surplus = tokens - self.longest
        if surplus <= 0:
            return np.arange(tokens)
        begin = self.first + self._skipped(surplus, stream)
        end = begin + self.longest - self.first - self.last
        return np.r_[: self.first, begin:end, tokens - self.last : tokens]

    def keeps_start(self, random: bool) -> bool:
        """Whether texts are cut behind; `random`: there are streams to draw from."""
        return self.keep == "from_start" or (self.keep == "uniform" and not random)

    def _skipped(self, surplus: int, stream: np.random.Generator | None) -> int:
        """How many tokens before the kept ones go."""
        if self.keeps_start(random=stream is not None):
            return 0
        return surplus if stream is None or self.keep == "from_end" else int(stream.integers(surplus + 1))


def word_numbers(encoding: Encoding) -> NDArray[np.int64]:
    """The number of each token's word (L,), counted through both of two texts; SPECIAL_WORD at special tokens."""
    sequences = encoding.sequence_ids
    words = np.array([SPECIAL_WORD if word is None else word for word in encoding.word_ids], np.int64)
    second = np.array([sequence == 1 for sequence in sequences])
    words[second] += words[~second].max(initial=SPECIAL_WORD) + 1
    return words


def splits_at_spaces(tokenizer: Tokenizer) -> bool:
    """Whether a text's tokens up to a space do not depend on what follows that space; False where it is not known."""
    single = pre_tokenizers.Split(Regex(ANY_CHARACTER), "isolated")
    splitter, normalizer = tokenizer.pre_tokenizer, tokenizer.normalizer
    known = isinstance(splitter, pre_tokenizers.BertPreTokenizer | pre_tokenizers.ByteLevel)
    local = normalizer is None or isinstance(normalizer, normalizers.BertNormalizer | normalizers.Lowercase)
    added = tokenizer.get_added_tokens_decoder().values()
    return local and (known or repr(splitter) == repr(single)) and not any(" " in token.content for token in added)


def encode_beginnings(tokenizer: Tokenizer, texts: list[str], tokens: int) -> list[Encoding]:
    """As many tokens of each text as it has, but of long texts no more than are sure to hold the first `tokens`.

    Args:
        tokenizer: one that `splits_at_spaces`.
        texts: the texts.
        tokens: how many are wanted of each, special ones included.
    """
    characters = tokens * CHARACTERS_A_TOKEN
    beginnings = [_beginning(text, characters) for text in texts]
    encodings: list[Encoding] = tokenizer.encode_batch(beginnings)
    for number, (text, beginning) in enumerate(zip(texts, beginnings, strict=True)):
        if len(encodings[number]) < tokens and len(beginning) < len(text):  # odd: spaces, or words without end
            encodings[number] = tokenizer.encode(text)
    return encodings


def _beginning(text: str, characters: int) -> str:
    """A text up to the last space within so many characters; whole where there is none.

    Without trailing white space, whose tokens depend on what follows.
    """
    end = text.rfind(" ", 0, characters) if len(text) > characters else -1
    return text if end < 0 else text[:end].rstrip()
