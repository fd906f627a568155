"""Vocabularies built from texts: words, word pieces, pairs of bytes, or characters.

In: texts. Out: a `Vocabulary`; the same texts give the same one, in any process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from tokenizers import Tokenizer, pre_tokenizers, trainers
from tqdm import tqdm

from renaissance.data.text.tokenizer_types import SPECIAL, make_bpe, make_character, make_word, make_wordpiece
from renaissance.data.text.vocabulary import Vocabulary, with_special_tokens
from renaissance.errors import UserError

DEFAULT_VOCABULARY = 30522  # BERT's; a bound, small texts give fewer entries
LARGE = 2**20  # entries above which the texts are measured first: the trainers take memory for all of them at once

Texts = Callable[[], Iterable[str]]


def build_vocabulary(
    texts: Texts, size: int | None, tokenizer_type: str = "wordpiece", min_frequency: int = 2
) -> Vocabulary:
    """A vocabulary of texts; the same texts give the same vocabulary.

    Args:
        texts: gives what to build from; may be read twice.
        size: most entries; None for DEFAULT_VOCABULARY.
        tokenizer_type: word, wordpiece, bpe or character.
        min_frequency: how often a word, a piece or a character occurs at least; single letters of word pieces, and
            bytes, are entries in any case.

    Raises:
        UserError: there is no text, or none that occurs so often, or `size` is too small for what must be an entry.
    """
    bound = size or DEFAULT_VOCABULARY
    if bound > LARGE:
        bound = min(bound, LARGE + sum(len(text.encode()) for text in texts()))  # a byte makes one entry at most
    tokenizer = _BUILDERS[tokenizer_type](texts, bound, min_frequency)
    return with_special_tokens(tokenizer, SPECIAL)


def _build_words(texts: Texts, size: int, min_frequency: int) -> Tokenizer:
    """The most frequent words; of equally frequent ones the first in the alphabet."""
    fixed = list(SPECIAL.values())
    _check_size(size, len(fixed) + 1, "a word beside the special tokens takes")
    tokenizer = make_word({})
    trainer = trainers.WordLevelTrainer(
        vocab_size=size, min_frequency=min_frequency, special_tokens=fixed, show_progress=False
    )
    _train(tokenizer, texts, trainer)
    entries = tokenizer.get_vocab()
    _check_found(len(entries) - len(fixed), min_frequency)
    return make_word(entries)


def _build_word_pieces(texts: Texts, size: int, min_frequency: int) -> Tokenizer:
    """Lower-case word pieces, as BERT's."""
    tokenizer = make_wordpiece({})
    letters = _letters(tokenizer, _shown(texts, "letters"))
    _check_found(len(letters), min_frequency=1)
    # The trainer numbers letters as they come out of a hash map, in another order in every process, and breaks ties
    # by number. Given as special tokens they have a fixed number before anything is counted.
    fixed = [*SPECIAL.values(), *letters]
    _check_size(size, len(fixed), "the letters of the texts alone take")
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, min_frequency=min_frequency, special_tokens=fixed, show_progress=False
    )
    _train(tokenizer, texts, trainer)
    return make_wordpiece(tokenizer.get_vocab())  # anew, where letters are ordinary entries


def _build_byte_pairs(texts: Texts, size: int, min_frequency: int) -> Tokenizer:
    """Pairs of bytes, and pairs of those, as GPT-2's; upper case and spaces are kept."""
    fixed, alphabet = list(SPECIAL.values()), sorted(pre_tokenizers.ByteLevel.alphabet())
    _check_size(size, len(fixed) + len(alphabet), "the bytes and the special tokens alone take")
    _check_found(any(text.strip() for text in texts()), min_frequency=1)
    tokenizer = make_bpe()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        special_tokens=fixed,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    _train(tokenizer, texts, trainer)
    return tokenizer


def _build_characters(texts: Texts, size: int, min_frequency: int) -> Tokenizer:
    """The most frequent characters; of equally frequent ones the first by code point."""
    fixed = list(SPECIAL.values())
    _check_size(size, len(fixed) + 1, "a character beside the special tokens takes")
    counts: Counter[str] = Counter()
    for text in _shown(texts, "characters"):
        counts.update(text)
    frequent = [sign for sign, count in counts.items() if count >= min_frequency]
    _check_found(len(frequent), min_frequency)
    frequent.sort(key=lambda sign: (-counts[sign], sign))
    tokens = [*fixed, *frequent[: size - len(fixed)]]
    return make_character({token: number for number, token in enumerate(tokens)})


_BUILDERS: dict[str, Callable[[Texts, int, int], Tokenizer]] = {
    "word": _build_words,
    "wordpiece": _build_word_pieces,
    "bpe": _build_byte_pairs,
    "character": _build_characters,
}


def _train(tokenizer: Tokenizer, texts: Texts, trainer: trainers.Trainer) -> None:
    tokenizer.train_from_iterator(_shown(texts, "vocabulary"), trainer)


def _shown(texts: Texts, what: str) -> Iterable[str]:
    return tqdm(texts(), desc=what, unit=" texts", disable=None, leave=False, delay=1)


def _check_found(entries: int, min_frequency: int) -> None:
    if not entries:
        reason = "the training texts are empty" if min_frequency == 1 else (
            f"the training texts are empty, or nothing in them occurs min_frequency={min_frequency} times"
        )  # fmt: skip
        raise UserError(f"No vocabulary can be built: {reason}. Give vocab_file, or set tokenizer to a name or folder.")


def _check_size(size: int, needed: int, what: str) -> None:
    if needed > size:
        raise UserError(f"vocab_size={size} is too small: {what} {needed} entries.")


def _letters(tokenizer: Tokenizer, texts: Iterable[str]) -> list[str]:
    """The letters that begin words, and with ## those that go on in them, in a fixed order."""
    distinct: set[str] = set()  # few in comparison, and a text's words do not depend on each other
    for text in texts:
        distinct.update(text.split())
    found: set[str] = set()
    for text in distinct:
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text)):
            found.add(word[0])
            found.update(f"##{letter}" for letter in word[1:])
    return sorted(found)
