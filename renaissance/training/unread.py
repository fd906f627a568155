"""Which given settings are without effect, since what was chosen (an optimiser, a schedule) does not read them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol


class ReadsSettings(Protocol):
    """A declaration that says which settings it reads, of those that not all of its kind read."""

    @property
    def reads(self) -> frozenset[str]:
        """Their names."""


def unread_by(name: str, declared: Mapping[str, ReadsSettings], given: Collection[str]) -> list[str]:
    """The given settings that others of a kind read and this one does not, in alphabetical order.

    Args:
        name: the one that was chosen.
        declared: all of its kind by name.
        given: names of settings that the user gave.
    """
    others = frozenset[str]().union(*(one.reads for one in declared.values()))
    return sorted((others - declared[name].reads) & set(given))
