"""Text to token numbers and back.

In: texts. Out: per text the token numbers and the word that each token belongs to, cut to `max_text_len`.
A `TextProcessor` can be pickled (the loader's processes get one each) and be written into a checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers

from renaissance.atomic_files import whole_file, write_json
from renaissance.data.text.long_texts import (
    SPECIAL_WORD,
    Cutter,
    Encoded,
    encode_beginnings,
    splits_at_spaces,
    word_numbers,
)
from renaissance.data.text.vocabulary import Vocabulary, is_vision_encoder, load_vocabulary
from renaissance.data.text.vocabulary_building import build_vocabulary
from renaissance.data.text.vocabulary_file import read_vocabulary, vocabulary_entries
from renaissance.errors import UserError
from renaissance.settings.decoder import pretrained_readers
from renaissance.settings.schema import ModelAndTaskSettings

__all__ = ["SPECIAL_WORD", "Encoded", "TextProcessor"]

# The loader's processes tokenize side by side already; threads of the tokenizer's own would only be in their way,
# and it warns when a process forks after using them.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


Characters = tuple[int, int, int] | None  # of a token: which of two texts, its first character, that behind its last


class TextProcessor:
    """A tokenizer with its special tokens.

    Attributes:
        max_text_len: most tokens a text, special tokens included.
        long_text: which tokens of longer texts stay: "from_start", "from_end", or "uniform", a random window.
        vocab_size: V, one more than the highest token number.
        special_ids: the numbers of all tokens that stand for no piece of text.
        knows_words: tokens say which word they belong to (WordPiece, or whole words), so words can be masked whole.
    """

    def __init__(self, vocabulary: Vocabulary, max_text_len: int, long_text: str = "from_start"):
        self.max_text_len = max_text_len
        self.long_text = long_text
        self._special = dict(vocabulary.special)
        self._tokenizer = vocabulary.tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._cut = Cutter.of(self._tokenizer, max_text_len, long_text)
        self._splits_at_spaces = splits_at_spaces(self._tokenizer)
        self._pairs: Tokenizer | None = None  # the same one with a truncation of its own, once it is needed
        self.special_ids = vocabulary.special_ids
        self.vocab_size = max(self._tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        self.knows_words = _knows_words(self._tokenizer)

    @classmethod
    def from_settings(
        cls, settings: ModelAndTaskSettings, training_texts: Callable[[], Iterable[str]]
    ) -> TextProcessor:
        """The tokenizer that the settings ask for.

        That is `vocab_file`, or `tokenizer`, or the own one of a pretrained decoder or text encoder, or one built from
        the texts.

        Args:
            settings: the run's settings.
            training_texts: gives the texts to build a vocabulary from; called only when one is built.

        Raises:
            UserError: the tokenizer cannot be had, or does not fit `vocab_size`, `tokenizer_type` or
                `whole_word_masking`.
        """
        if settings.vocab_file is not None:
            vocabulary = read_vocabulary(settings.vocab_file, settings.tokenizer_type)
            return cls._checked(settings, vocabulary, f"vocab_file={settings.vocab_file!r}")
        name, setting = _tokenizer_of(settings)
        if name is None:
            vocabulary = build_vocabulary(
                training_texts, settings.vocab_size, settings.tokenizer_type, settings.min_frequency
            )
            return cls(vocabulary, settings.max_text_len, settings.long_text)
        if settings.tokenizer_type != "wordpiece":
            raise UserError(
                f"tokenizer_type={settings.tokenizer_type}, but {setting}={name!r} has a tokenizer of its own. Leave "
                f"tokenizer_type out, or start the {setting.replace('_', ' ')} from random weights, which builds a "
                "vocabulary."
            )
        return cls._checked(settings, load_vocabulary(name, setting), f"tokenizer {name!r}")

    @classmethod
    def _checked(cls, settings: ModelAndTaskSettings, vocabulary: Vocabulary, source: str) -> TextProcessor:
        """The processor of a vocabulary that fits what the settings say of it."""
        processor = cls(vocabulary, settings.max_text_len, settings.long_text)
        if settings.vocab_size not in (None, processor.vocab_size):
            raise UserError(
                f"vocab_size={settings.vocab_size}, but the {source} has {processor.vocab_size} entries. "
                "Leave vocab_size at None."
            )
        if settings.whole_word_masking:
            processor.check_knows_words(source)
        return processor

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], max_text_len: int | None = None, long_text: str | None = None
    ) -> TextProcessor:
        """The processor that `state` was taken from; with another `max_text_len` or `long_text` when one is given.

        Raises:
            UserError: the state is none.
        """
        try:
            tokenizer = Tokenizer.from_str(state["tokenizer"])
            special = {str(role): int(number) for role, number in state["special"].items()}
            special_ids = frozenset(int(number) for number in state["special_ids"])
            length = int(max_text_len or state["max_text_len"])
            keep = long_text or str(state.get("long_text", "from_start"))
        except Exception as error:  # the tokenizers library raises bare Exceptions
            raise UserError(f"The checkpoint's vocabulary cannot be read: {error}") from None
        return cls(Vocabulary(tokenizer, special, special_ids), length, keep)

    def state(self) -> dict[str, Any]:
        """Plain values (strings, numbers) from which `from_state` makes an equal processor."""
        return {
            "tokenizer": self._tokenizer.to_str(),
            "special": dict(self._special),
            "special_ids": sorted(self.special_ids),
            "max_text_len": self.max_text_len,
            "long_text": self.long_text,
        }

    def check_knows_words(self, source: str) -> None:
        """Assert that tokens say which word they belong to, for whole-word masking.

        Args:
            source: what messages call the vocabulary.

        Raises:
            UserError: they do not.
        """
        if not self.knows_words:
            raise UserError(
                f"whole_word_masking=True needs a tokenizer with word pieces, and the {source} has none. Set "
                "whole_word_masking=False, or choose another tokenizer."
            )

    def check_same(self, name: str, setting: str) -> None:
        """Assert that these are the tokens of a pretrained model.

        Args:
            name: its folder or hub name.
            setting: the setting that holds the name.

        Raises:
            UserError: it has others.
        """
        if load_vocabulary(name, setting).tokenizer.get_vocab() != self._tokenizer.get_vocab():
            raise UserError(
                f"{setting} = {name!r} knows the tokens of its own tokenizer, and this run has others, from tokenizer, "
                "vocab_file or a checkpoint. Leave tokenizer and vocab_file at None, and take of a checkpoint what "
                f"reads no texts, such as load_modules.image_encoder; or begin with random_init_{setting}=True."
            )

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
    def mask_token(self) -> str:
        """How the mask token is spelled in a text, such as [MASK]."""
        return str(self._tokenizer.id_to_token(self.mask_id))

    @property
    def has_mask(self) -> bool:
        """Whether there is a mask token; a decoder's vocabulary may have none."""
        return "mask" in self._special

    @property
    def unk_id(self) -> int:
        return self._special_id("unk")

    def encode(self, texts: Sequence[str], streams: Sequence[np.random.Generator] | None = None) -> list[Encoded]:
        """Token numbers (L,) and word numbers (L,) of each text; SPECIAL_WORD at special tokens.

        Args:
            texts: the texts; of those with more than `max_text_len` tokens stay the ones that `long_text` says.
            streams: a generator a text, that draws where the window of "uniform" lies; None: at the start.
        """
        if self._splits_at_spaces and self._cut.keeps_start(random=streams is not None):
            encodings = encode_beginnings(self._tokenizer, list(texts), self.max_text_len)
        else:
            encodings = self._tokenizer.encode_batch(list(texts))
        drawing: Sequence[np.random.Generator | None] = streams or [None] * len(encodings)
        return [self._cut(encoding, stream) for encoding, stream in zip(encodings, drawing, strict=True)]

    def encode_pairs(
        self, texts: Sequence[str], others: Sequence[str]
    ) -> tuple[list[Encoded], list[NDArray[np.int64]]]:
        """Pairs of texts, each read as one: token and word numbers (L,) as of `encode`, and the segments (L,), 0 and 1.

        Of a pair with more than `max_text_len` tokens, the longer text loses its last ones first.

        Args:
            texts: the first of each pair.
            others: the second.
        """
        encodings = self._pair_tokenizer().encode_batch(list(zip(texts, others, strict=True)))
        encoded = [(np.array(encoding.ids, np.int64), word_numbers(encoding)) for encoding in encodings]
        return encoded, [np.array(encoding.type_ids, np.int64) for encoding in encodings]

    def characters(self, text: str, other: str | None = None) -> list[Characters]:
        """Which characters each token of a text, as `encode` or with `other` `encode_pairs` makes them, is read from.

        Args:
            text: the text.
            other: a second text that is read together with it.

        Returns:
            for each token the text, 0 or 1, and its first character in it and the one behind its last; None for special
            tokens, and for those of no character.
        """
        if other is None:
            encoding = self._tokenizer.encode(text)
            kept = self._cut.kept(len(encoding), None)
        else:
            encoding = self._pair_tokenizer().encode(text, other)
            kept = np.arange(len(encoding))
        found: list[Characters] = []
        for number in kept.tolist():
            sequence, (start, end) = encoding.sequence_ids[number], encoding.offsets[number]
            read = (text, other or "")[sequence or 0]
            start += len(read[start:end]) - len(read[start:end].lstrip())
            found.append(None if sequence is None or start >= end else (sequence, start, end))
        return found

    def count_unspelled(self, texts: Sequence[str]) -> int:
        """In how many of the texts something has no piece in the vocabulary, and becomes the unknown token."""
        if "unk" not in self._special:  # of bytes, every text can be made
            return 0
        return sum(bool((ids == self.unk_id).any()) for ids, _ in self.encode(texts))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token numbers, without special tokens."""
        return self._tokenizer.decode([int(number) for number in ids], skip_special_tokens=True)

    def save(self, vocabulary: Path, tokenizer: Path) -> None:
        """Write token → number, and the whole tokenizer; either can be a `vocab_file`, the second of every type."""
        write_json(vocabulary, vocabulary_entries(self._tokenizer))
        with whole_file(tokenizer) as temporary:
            self._tokenizer.save(str(temporary))

    def _pair_tokenizer(self) -> Tokenizer:
        if self._pairs is None:
            self._pairs = Tokenizer.from_str(self._tokenizer.to_str())
            self._pairs.enable_truncation(self.max_text_len, strategy="longest_first")
        return self._pairs

    def _special_id(self, role: str) -> int:
        if role not in self._special:
            raise UserError(f"The tokenizer has no {role} token, which this task needs. Choose another tokenizer.")
        return self._special[role]


def _knows_words(tokenizer: Tokenizer) -> bool:
    single_signs = isinstance(tokenizer.pre_tokenizer, pre_tokenizers.Split)
    return isinstance(tokenizer.model, models.WordPiece | models.WordLevel) and not single_signs


def _tokenizer_of(settings: ModelAndTaskSettings) -> tuple[str | None, str]:
    """The name of the tokenizer and the setting that it comes from; None where one is built from the training texts.

    A pretrained decoder and pretrained text encoders read the same tokens, so theirs must be the same.

    Raises:
        UserError: they are not.
    """
    if settings.tokenizer is not None:
        return settings.tokenizer, "tokenizer"
    readers = [
        (setting, name)
        for setting, name in dict.fromkeys(pretrained_readers(settings))
        if setting != "encoder" or not is_vision_encoder(name)
    ]
    for setting, other in readers[1:]:
        first_setting, name = readers[0]
        first, second = (load_vocabulary(*reader).tokenizer for reader in ((name, first_setting), (other, setting)))
        if first.get_vocab() != second.get_vocab():
            part = "text_encoder" if setting == "clip_model" else setting
            raise UserError(
                f"{first_setting} = {name!r} and {setting} = {other!r} have different vocabularies, and read the same "
                f"tokens. Take models of one vocabulary, or begin one of them at random, such as the second with "
                f"random_init_{part}=True (of several text encoders, with a list)."
            )
    setting, found = readers[0] if readers else ("text_encoder", None)
    return found, setting
