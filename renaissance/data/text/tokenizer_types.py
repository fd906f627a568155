"""The four kinds of tokenizers that this project makes itself: word, wordpiece, bpe and character.

In: entries (token → number). Out: a `tokenizers.Tokenizer` that splits texts in the kind's way and, from numbers,
gives them back. Words and word pieces are split as BERT's uncased tokenizer splits them (at spaces, and around
punctuation); byte pairs (Radford et al., 2019, GPT-2) and characters lose nothing of a text.

How letters are treated follows from the entries, so that a dictionary alone says it: where none has an upper-case
letter, texts are lower-cased, and where none has an accent, words lose theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
ANY_CHARACTER = r"[\s\S]"


def make_word(entries: Mapping[str, int], unknown: str = SPECIAL["unk"]) -> Tokenizer:
    """Whole words and punctuation marks; what is not among the entries is unknown."""
    tokenizer = Tokenizer(models.WordLevel(dict(entries), unk_token=unknown))
    return _split_into_words(tokenizer, entries)


def make_wordpiece(entries: Mapping[str, int], unknown: str = SPECIAL["unk"]) -> Tokenizer:
    """The longest entry that begins a word, then the longest ones with ## that go on in it (Wu et al., 2016)."""
    tokenizer = Tokenizer(models.WordPiece(dict(entries), unk_token=unknown))
    return _split_into_words(tokenizer, entries)


def make_character(entries: Mapping[str, int], unknown: str = SPECIAL["unk"]) -> Tokenizer:
    """Every character, spaces included."""
    tokenizer = Tokenizer(models.WordLevel(dict(entries), unk_token=unknown))
    if not has_upper_case(entries):
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(ANY_CHARACTER), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def make_bpe() -> Tokenizer:
    """Byte pairs without entries or merges as yet; training sets them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


# The kinds that entries alone describe; byte pairs also need their merges.
FROM_ENTRIES: dict[str, Callable[[Mapping[str, int], str], Tokenizer]] = {
    "word": make_word,
    "wordpiece": make_wordpiece,
    "character": make_character,
}


def has_upper_case(tokens: Iterable[str]) -> bool:
    """Whether a token, other than BERT's special ones, has an upper-case letter."""
    named = set(SPECIAL.values())
    return any(token != token.lower() for token in tokens if token not in named)


def _split_into_words(tokenizer: Tokenizer, entries: Collection[str]) -> Tokenizer:
    tokenizer.normalizer = normalizers.BertNormalizer(
        lowercase=not has_upper_case(entries), strip_accents=not _has_accents(entries)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()  # joins with spaces, and none before punctuation
    return tokenizer


def _has_accents(tokens: Iterable[str]) -> bool:
    """Whether a token could not be found in a text whose accents were stripped."""
    strip = normalizers.BertNormalizer(
        clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False
    )
    return any(strip.normalize_str(token) != token for token in tokens if not token.isascii())
