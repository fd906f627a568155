"""Text to token numbers and back.

In: texts. Out: per text the token numbers and the word that each token belongs to, cut to `max_text_len`.
A `TextProcessor` can be pickled (the loader's processes get one each) and be written into a checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models

from renaissance.data.vocabulary import Vocabulary, build_vocabulary, is_vision_encoder, load_vocabulary
from renaissance.errors import UserError
from renaissance.settings import Settings
from renaissance.settings.text_encoders import text_encoders

# The loader's processes tokenize side by side already; threads of the tokenizer's own would only be in their way,
# and it warns when a process forks after using them.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

SPECIAL_WORD = -1  # the word number of tokens that stand for no piece of text


class TextProcessor:
    """A tokenizer with its special tokens.

    Attributes:
        max_text_len: most tokens a text, special tokens included.
        vocab_size: V, one more than the highest token number.
        special_ids: the numbers of all tokens that stand for no piece of text.
        has_word_pieces: pieces of a word are marked as such (WordPiece), so words can be masked whole.
    """

    def __init__(self, vocabulary: Vocabulary, max_text_len: int):
        self.max_text_len = max_text_len
        self._special = dict(vocabulary.special)
        self._tokenizer = vocabulary.tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=max_text_len)
        self.special_ids = vocabulary.special_ids
        self.vocab_size = max(self._tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        self.has_word_pieces = isinstance(self._tokenizer.model, models.WordPiece)

    @classmethod
    def from_settings(cls, settings: Settings, training_texts: Callable[[], Iterable[str]]) -> TextProcessor:
        """The tokenizer that the settings ask for: `tokenizer`, or the pretrained text encoder's own, or word pieces.

        Args:
            settings: the run's settings.
            training_texts: gives the texts to build a vocabulary from; called only when one is built.

        Raises:
            UserError: the tokenizer cannot be had, or does not fit `vocab_size` or `whole_word_masking`.
        """
        name, setting = _tokenizer_of(settings)
        if name is None:
            return cls(build_vocabulary(training_texts, settings.vocab_size), settings.max_text_len)
        processor = cls(load_vocabulary(name, setting), settings.max_text_len)
        if settings.vocab_size not in (None, processor.vocab_size):
            raise UserError(
                f"vocab_size={settings.vocab_size}, but the tokenizer {name!r} has {processor.vocab_size} entries. "
                "Leave vocab_size at None."
            )
        if settings.whole_word_masking and not processor.has_word_pieces:
            raise UserError(
                f"whole_word_masking=True needs a tokenizer with word pieces, and {name!r} has none. Set "
                "whole_word_masking=False, or choose another tokenizer."
            )
        return processor

    @classmethod
    def from_state(cls, state: Mapping[str, Any], max_text_len: int | None = None) -> TextProcessor:
        """The processor that `state` was taken from; with another `max_text_len` when one is given.

        Raises:
            UserError: the state is none.
        """
        try:
            tokenizer = Tokenizer.from_str(state["tokenizer"])
            special = {str(role): int(number) for role, number in state["special"].items()}
            special_ids = frozenset(int(number) for number in state["special_ids"])
            length = int(max_text_len or state["max_text_len"])
        except Exception as error:  # the tokenizers library raises bare Exceptions
            raise UserError(f"The checkpoint's vocabulary cannot be read: {error}") from None
        return cls(Vocabulary(tokenizer, special, special_ids), length)

    def state(self) -> dict[str, Any]:
        """Plain values (strings, numbers) from which `from_state` makes an equal processor."""
        return {
            "tokenizer": self._tokenizer.to_str(),
            "special": dict(self._special),
            "special_ids": sorted(self.special_ids),
            "max_text_len": self.max_text_len,
        }

    @property
    def pad_id(self) -> int:
        return self._special_id("pad")

    @property
    def cls_id(self) -> int:
        return self._special_id("cls")

    @property
    def sep_id(self) -> int:
        return self._special_id("sep")

    @property
    def mask_id(self) -> int:
        return self._special_id("mask")

    @property
    def unk_id(self) -> int:
        return self._special_id("unk")

    def encode(self, texts: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Token numbers (L,) and word numbers (L,) of each text; SPECIAL_WORD at special tokens."""
        return [
            (
                np.array(encoding.ids, np.int64),
                np.array([SPECIAL_WORD if word is None else word for word in encoding.word_ids], np.int64),
            )
            for encoding in self._tokenizer.encode_batch(list(texts))
        ]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token numbers, without special tokens."""
        return self._tokenizer.decode([int(number) for number in ids], skip_special_tokens=True)

    def _special_id(self, role: str) -> int:
        if role not in self._special:
            raise UserError(f"The tokenizer has no {role} token, which this task needs. Choose another tokenizer.")
        return self._special[role]


def _tokenizer_of(settings: Settings) -> tuple[str | None, str]:
    """The name of the tokenizer and the setting that it comes from; None where one is built from the training texts.

    Several text encoders read the same tokens: those of the pretrained ones among them, which must be the same.

    Raises:
        UserError: they are not.
    """
    if settings.tokenizer is not None:
        return settings.tokenizer, "tokenizer"
    if settings.model_type == "one-tower":
        has_none = settings.random_init_encoder or is_vision_encoder(settings.encoder)
        return None if has_none else settings.encoder, "encoder"
    pretrained = list(dict.fromkeys(encoder.name for encoder in text_encoders(settings) if not encoder.random))
    for other in pretrained[1:]:
        first, second = (load_vocabulary(name, "text_encoder").tokenizer for name in (pretrained[0], other))
        if first.get_vocab() != second.get_vocab():
            raise UserError(
                f"text_encoder: {pretrained[0]!r} and {other!r} have different vocabularies, and encoders side by side "
                "read the same tokens. Join encoders of one vocabulary, or begin one of them at random with "
                "random_init_text_encoder=[…]."
            )
    return (pretrained[0] if pretrained else None), "text_encoder"
