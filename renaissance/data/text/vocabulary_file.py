"""`vocab_file`: a vocabulary from a JSON file, and the files that a run leaves of its own.

The file is a dictionary {token: number}, or what the `tokenizers` library saves (`tokenizer.json`). It may come from
anywhere, so it is bounded and checked before it is used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from renaissance.data.text.tokenizer_types import FROM_ENTRIES, SPECIAL
from renaissance.data.text.vocabulary import Vocabulary, with_special_tokens
from renaissance.errors import UserError

LARGEST_FILE = 64 * 2**20  # bytes; published tokenizers have up to 35 MB
MOST_ENTRIES = 1_000_000
# How others spell the special tokens.
SPELLINGS = {
    "pad": (SPECIAL["pad"], "<pad>"),
    "unk": (SPECIAL["unk"], "<unk>"),
    "cls": (SPECIAL["cls"], "<cls>", "<bos>", "<s>"),
    "sep": (SPECIAL["sep"], "<sep>", "<eos>", "</s>"),
    "mask": (SPECIAL["mask"], "<mask>"),
}


def read_vocabulary(path: str, tokenizer_type: str) -> Vocabulary:
    """The vocabulary of a file; special tokens that it lacks are added behind its entries.

    Args:
        path: a JSON dictionary {token: number} or a `tokenizers` JSON.
        tokenizer_type: how a dictionary splits texts: word, wordpiece or character; a `tokenizers` JSON says itself.

    Raises:
        UserError: the file is missing, too large or damaged, or no vocabulary of this type.
    """
    text = _read(Path(path))
    content = _parsed(path, text)
    if isinstance(content.get("model"), dict):
        return _from_tokenizers_json(path, text)
    entries = _checked_entries(path, content)
    if tokenizer_type not in FROM_ENTRIES:
        raise UserError(
            f"vocab_file = {path!r} is a dictionary, without the merges that tokenizer_type={tokenizer_type} needs. "
            "Give the tokenizer.json that a run, or the tokenizers library, saved beside it."
        )
    names = _special_names(entries)
    for token in names.values():
        entries.setdefault(token, len(entries))
    if tokenizer_type == "character":
        _check_characters(path, entries.keys() - names.values())
    return with_special_tokens(FROM_ENTRIES[tokenizer_type](entries, names["unk"]), names)


def vocabulary_entries(tokenizer: Tokenizer) -> dict[str, int]:
    """Token → number, by number: what `vocabulary.json` holds."""
    entries = tokenizer.get_vocab(with_added_tokens=True)
    return dict(sorted(entries.items(), key=lambda entry: entry[1]))


def _read(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise UserError(f"vocab_file = {str(path)!r} has {size:,} bytes; at most {LARGEST_FILE:,} are read.")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"vocab_file = {str(path)!r} is not UTF-8 text; give a JSON file.") from None
    except OSError as error:
        raise UserError(f"vocab_file = {str(path)!r} cannot be read: {error.strerror}.") from None


def _parsed(path: str, text: str) -> dict[str, Any]:
    try:
        content = json.loads(text, object_pairs_hook=_without_repetitions)
    except (ValueError, RecursionError) as error:  # a JSONDecodeError is a ValueError
        raise UserError(f"vocab_file = {path!r} is not a JSON file that can be read: {error}.") from None
    if not isinstance(content, dict):
        raise UserError(f"vocab_file = {path!r} holds a {type(content).__name__}, not a dictionary {{token: number}}.")
    return content


def _without_repetitions(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"{repeated!r} stands there twice")
    return content


def _checked_entries(path: str, content: Mapping[str, Any]) -> dict[str, int]:
    """The entries of a dictionary.

    Raises:
        UserError: naming the first token or number that is wrong.
    """
    where = f"vocab_file = {path!r}"
    if not 0 < len(content) <= MOST_ENTRIES:
        raise UserError(f"{where} has {len(content):,} entries; from 1 to {MOST_ENTRIES:,} are taken.")
    owner: dict[int, str] = {}
    for token, number in content.items():
        if not token or _is_no_text(token):
            raise UserError(f"{where}: {token!r} is no token.")
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise UserError(f"{where}: {token!r} has {_short(number)}, not a whole number, at least 0.")
        if number in owner:
            raise UserError(f"{where}: {owner[number]!r} and {token!r} have the same number, {number}.")
        owner[number] = token
    missing = [number for number in range(len(owner)) if number not in owner]
    if missing:
        shown = ", ".join(str(number) for number in missing[:5]) + (", …" if len(missing) > 5 else "")
        raise UserError(
            f"{where}: the numbers of {len(owner):,} tokens should be 0 to {len(owner) - 1:,}, but none has {shown}."
        )
    return dict(content)


def _is_no_text(token: str) -> bool:
    """Whether a token has half a character (a lone surrogate), which no text has."""
    return any("\ud800" <= sign <= "\udfff" for sign in token)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:39] + "…"


def _special_names(entries: Mapping[str, int]) -> dict[str, str]:
    """The special tokens by role, as the entries spell them; as BERT does where they have none."""
    return {
        role: next((token for token in spellings if token in entries), SPECIAL[role])
        for role, spellings in SPELLINGS.items()
    }


def _check_characters(path: str, tokens: set[str]) -> None:
    longer = sorted(token for token in tokens if len(token) > 1)
    if longer:
        shown = ", ".join(repr(token) for token in longer[:5])
        raise UserError(
            f"vocab_file = {path!r}: tokenizer_type=character takes single characters, but {len(longer):,} entries are "
            f"longer: {shown}. Give tokenizer_type=word or wordpiece."
        )


def _from_tokenizers_json(path: str, text: str) -> Vocabulary:
    try:
        tokenizer = Tokenizer.from_str(text)
        around = tokenizer.encode("").ids
        tokenizer.encode("a \U0010fffd")  # fails where an unknown token is named that there is not
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise UserError(f"vocab_file = {path!r}: the tokenizers library cannot read it: {error}.") from None
    entries = tokenizer.get_vocab(with_added_tokens=True)
    if not 0 < len(entries) <= MOST_ENTRIES or max(*entries.values(), *around) >= MOST_ENTRIES:
        raise UserError(f"vocab_file = {path!r} has {len(entries):,} entries; from 1 to {MOST_ENTRIES:,} are taken.")
    names = _special_names(entries)
    unknown = getattr(tokenizer.model, "unk_token", None)
    processor = tokenizer.post_processor
    vocabulary = with_special_tokens(tokenizer, {**names, "unk": unknown} if unknown in entries else names)
    if around:  # it adds special tokens in its own way, which is kept
        tokenizer.post_processor = processor
    return vocabulary
