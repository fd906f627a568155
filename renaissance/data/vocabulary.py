"""Tokenizers: loaded from a folder, the hub's cache or the hub, or word pieces built from texts.

In: a name or texts. Out: a `tokenizers.Tokenizer` and the numbers of its special tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tqdm import tqdm

from renaissance.data.hub import hub_answers
from renaissance.errors import UserError
from renaissance.settings.architectures import meant_architecture

DEFAULT_VOCABULARY = 30522  # BERT's; a bound, small texts give fewer entries
_MINIMUM_FREQUENCY = 2  # what occurs once teaches nothing; it is spelled with shorter pieces
_SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}


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


def build_vocabulary(texts: Callable[[], Iterable[str]], size: int | None) -> Vocabulary:
    """Lower-case word pieces, as BERT's, from texts; the same texts give the same vocabulary.

    Args:
        texts: gives what to build from; read twice.
        size: most entries; None for DEFAULT_VOCABULARY.

    Raises:
        UserError: there is no text, or `size` is too small for the letters that occur.
    """
    tokenizer = _lower_case_words()
    letters = _letters(tokenizer, tqdm(texts(), desc="letters", unit=" texts", disable=None, delay=2))
    if not letters:
        raise UserError("No vocabulary can be built: the training texts are empty. Set tokenizer to a name or folder.")
    # The trainer numbers letters as they come out of a hash map, in another order in every process, and breaks ties
    # by number. Given as special tokens they have a fixed number before anything is counted.
    fixed = [*_SPECIAL.values(), *letters]
    bound = size or DEFAULT_VOCABULARY
    if len(fixed) > bound:
        raise UserError(f"vocab_size={bound} is too small: the letters of the texts alone take {len(fixed)} entries.")
    trainer = trainers.WordPieceTrainer(
        vocab_size=bound, min_frequency=_MINIMUM_FREQUENCY, special_tokens=fixed, show_progress=False
    )
    tokenizer.train_from_iterator(tqdm(texts(), desc="vocabulary", unit=" texts", disable=None, delay=2), trainer)

    trained = _lower_case_words(tokenizer.get_vocab())  # anew, where letters are ordinary entries
    trained.add_special_tokens(list(_SPECIAL.values()))
    entries = trained.get_vocab()
    numbers = {role: entries[token] for role, token in _SPECIAL.items()}
    trained.post_processor = processors.BertProcessing(
        (_SPECIAL["sep"], numbers["sep"]), (_SPECIAL["cls"], numbers["cls"])
    )
    return Vocabulary(trained, numbers, frozenset(numbers.values()))


def _lower_case_words(entries: dict[str, int] | None = None) -> Tokenizer:
    """A WordPiece tokenizer that splits texts as BERT's uncased one does."""
    tokenizer = Tokenizer(models.WordPiece(entries, unk_token=_SPECIAL["unk"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


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

    Raises:
        UserError: it cannot be had, or has no fast version or no padding token.
    """
    loaded = _load(name, setting)
    tokenizer = getattr(loaded, "backend_tokenizer", None)
    if tokenizer is None:
        raise UserError(f"{setting} = {name!r}: this tokenizer has no fast version (tokenizer.json). Choose another.")
    numbers = {role: getattr(loaded, f"{role}_token_id", None) for role in _SPECIAL}
    special = {role: int(number) for role, number in numbers.items() if number is not None}
    if "pad" not in special:
        raise UserError(f"{setting} = {name!r}: this tokenizer has no padding token, so texts cannot be batched.")
    # A copy, because the one inside of transformers' object is changed by it.
    return Vocabulary(Tokenizer.from_str(tokenizer.to_str()), special, frozenset(loaded.all_special_ids))


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
                "Set tokenizer to a folder that holds one, or connect to the hub once, which fills the cache; with a "
                "randomly initialised text encoder and tokenizer=None a vocabulary is built from the training texts."
            ) from error
    try:
        return load(name, local_files_only=False)
    except Exception as error:
        raise UserError(f"{setting} = {name!r}: the hub has no such tokenizer: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
