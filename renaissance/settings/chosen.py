"""Which settings the user set, as opposed to defaults, and by what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Chosen:
    """What a command line says behind `with`.

    Attributes:
        named: the settings that each named configuration sets, by its name.
        given: the settings given as name=value. Of a dictionary (`loss_names.mlm=2`) the entries that were given.
    """

    named: Mapping[str, frozenset[str]]
    given: Mapping[str, Any]

    @property
    def names(self) -> frozenset[str]:
        """The settings that were set in either way."""
        return frozenset(self.given).union(*self.named.values())

    def added_to(self, words: Collection[str]) -> dict[str, str]:
        """The settings that are set beyond a run's earlier commands, each with what sets it.

        A named configuration that an earlier command had adds nothing, so it does not undo what that overrode.

        Args:
            words: those of the earlier commands.
        """
        added = {setting: name for name, settings in self.named.items() if name not in words for setting in settings}
        return added | dict.fromkeys(self.given, "the command line")
