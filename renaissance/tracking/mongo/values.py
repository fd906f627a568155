"""Values as MongoDB can hold them, and as JSON can carry them there: plain numbers, texts, lists and dictionaries."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

LARGEST = 2**63 - 1  # of MongoDB's whole numbers


def number(value: Any) -> float:
    """A number of any type as a float: Python's, NumPy's, a tensor of one element, a Decimal, a truth value.

    NaN and infinity stay what they are.

    Raises:
        TypeError, ValueError: it is no number.
    """
    if isinstance(value, str | bytes):
        raise TypeError(f"{value!r} is a text and no number")
    try:
        return float(value.detach() if hasattr(value, "detach") else value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def plain(value: Any) -> Any:
    """A value in which everything is a number, a text, None, a list or a dictionary with texts for keys.

    Keys are made fit for MongoDB as Sacred makes them: a dot becomes a comma, a leading $ an @.
    """
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= LARGEST else float(value) if abs(value) < 1e308 else str(value)
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    try:
        return number(value)
    except Exception:  # whatever an object of any library makes of being asked for a number
        return valid_text(str(value))


def valid_text(text: str) -> str:
    """A text that UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def when(seconds: float) -> datetime:
    """A time as MongoDB keeps it.

    Args:
        seconds: since the epoch.
    """
    return datetime.fromtimestamp(seconds, UTC)


def seconds_of(time: datetime) -> float:
    """Seconds since the epoch of one of Sacred's times, which are in UTC and do not say so."""
    return time.replace(tzinfo=UTC).timestamp()


def _key(key: Any) -> str:
    text = valid_text(str(key)).replace("\0", "").replace(".", ",")
    return f"@{text[1:]}" if text.startswith("$") else text
