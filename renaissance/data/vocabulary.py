"""Vocabularies: a tokenizer loaded from a folder, the hub's cache or the hub, or built from texts.

In: a name or texts. Out: a `tokenizers.Tokenizer` and the numbers of its special tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, pre_tokenizers, processors, trainers
from tqdm import tqdm

from renaissance.data.hub import hub_answers
from renaissance.data.tokenizer_types import SPECIAL, make_bpe, make_character, make_word, make_wordpiece
from renaissance.errors import UserError
from renaissance.settings.architectures import meant_architecture

DEFAULT_VOCABULARY = 30522  # BERT's; a bound, small texts give fewer entries

Texts = Callable[[], Iterable[str]]


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer and its special tokens.

    Attributes:
        tokenizer: adds the special tokens itself; neither cuts nor pads.
        special: the numbers of "pad", "unk", "cls", "sep", "mask"; a tokenizer may lack some.
        special_ids: the numbers of all tokens that stand for no piece of text.
    """

    tokenizer: Tokenizer
    special: dict[str, int]
    special_ids: frozenset[int]


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
    tokenizer = _BUILDERS[tokenizer_type](texts, size or DEFAULT_VOCABULARY, min_frequency)
    return with_special_tokens(tokenizer, SPECIAL)


def with_special_tokens(tokenizer: Tokenizer, names: dict[str, str]) -> Vocabulary:
    """A tokenizer that puts a first and a last token around each text.

    Args:
        tokenizer: changed in place; what it lacks of the special tokens is added.
        names: the special tokens by their roles.
    """
    tokenizer.add_special_tokens(list(names.values()))
    entries = tokenizer.get_vocab(with_added_tokens=True)
    numbers = {role: entries[token] for role, token in names.items()}
    tokenizer.post_processor = processors.BertProcessing((names["sep"], numbers["sep"]), (names["cls"], numbers["cls"]))
    special = (number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special)
    return Vocabulary(tokenizer, numbers, frozenset(special))


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


def load_vocabulary(name: str, setting: str) -> Vocabulary:
    """The tokenizer of a folder or a hub name: from the hub's cache, otherwise from the hub if it answers.

    Args:
        name: folder or hub name.
        setting: the setting that holds the name, for messages.

    A decoder's may have no other special tokens than one behind a text (GPT-2): that one then also begins texts, and
    pads them. Which positions are padding is told by masks, and not by numbers.

    Raises:
        UserError: it cannot be had, or has no fast version or no padding token.
    """
    loaded = _load(name, setting)
    tokenizer = getattr(loaded, "backend_tokenizer", None)
    if tokenizer is None:
        raise UserError(f"{setting} = {name!r}: this tokenizer has no fast version (tokenizer.json). Choose another.")
    numbers = {role: getattr(loaded, f"{role}_token_id", None) for role in SPECIAL}
    special = {role: int(number) for role, number in numbers.items() if number is not None}
    # A copy, because the one inside of transformers' object is changed by it.
    own = Tokenizer.from_str(tokenizer.to_str())
    if setting in ("decoder", "tokenizer"):
        _put_around(own, loaded, special)
    if "pad" not in special:
        raise UserError(f"{setting} = {name!r}: this tokenizer has no padding token, so texts cannot be batched.")
    return Vocabulary(own, special, frozenset(loaded.all_special_ids))


def _put_around(tokenizer: Tokenizer, loaded: Any, special: dict[str, int]) -> None:
    """Have a tokenizer put a first and a last token around each text, where it puts nothing there itself.

    Args:
        tokenizer: changed in place.
        loaded: transformers' tokenizer, which knows GPT-2's roles "bos" and "eos".
        special: numbers by role; those that others stand in for are added.
    """

    def known(*roles: str) -> int | None:
        numbers = (special.get(role, getattr(loaded, f"{role}_token_id", None)) for role in roles)
        return next((int(number) for number in numbers if number is not None), None)

    first, last = known("cls", "bos", "eos"), known("sep", "eos", "bos")
    around = tokenizer.encode("").ids
    if first is None or last is None or around not in ([], [first, last]):  # it has its own way, which is kept
        return
    special |= {"cls": first, "sep": last, "pad": special.get("pad", last)}
    if not around:
        token = tokenizer.get_added_tokens_decoder()
        tokenizer.post_processor = processors.BertProcessing((token[last].content, last), (token[first].content, first))


def is_vision_encoder(name: str) -> bool:
    """Whether a folder or hub name is a vision encoder, which brings no tokenizer; False when nothing is known."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(name, local_files_only=Path(name).is_dir() or not hub_answers())
    except Exception:  # nothing is known of it; loading its tokenizer says what is wrong
        return False
    return hasattr(config, "num_channels") and not hasattr(config, "vocab_size")


def _load(name: str, setting: str) -> Any:
    from transformers import AutoTokenizer  # here, since importing transformers takes seconds

    load: Callable[..., Any] = AutoTokenizer.from_pretrained
    try:
        return load(name, local_files_only=True)
    except Exception as error:  # whatever a folder's files hold, their owner can mend it
        if Path(name).is_dir():
            raise UserError(f"{setting} = {name!r}: this folder holds no tokenizer: {_first_line(error)}") from error
        if not hub_answers():
            raise UserError(
                f"{setting} = {name!r}: its tokenizer is not in this machine's hub cache, and the hub does not answer."
                f"{meant_architecture(name) if setting == 'text_encoder' else ''} "
                "Set tokenizer to a folder that holds one, or connect to the hub once, which fills the cache; where "
                "what reads texts begins at random and tokenizer is None, one is built from the training texts."
            ) from error
    try:
        return load(name, local_files_only=False)
    except Exception as error:
        raise UserError(f"{setting} = {name!r}: the hub has no such tokenizer: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
