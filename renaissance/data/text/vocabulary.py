"""Vocabularies: a tokenizer loaded from a folder, the hub's cache or the hub.

In: a name. Out: a `tokenizers.Tokenizer` and the numbers of its special tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, processors

from renaissance.data.text.tokenizer_types import SPECIAL
from renaissance.errors import UserError
from renaissance.hub import hub_answers
from renaissance.settings.architectures import meant_architecture


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
