"""How the values of the next trial are found: from a list of all combinations, at random, or by Optuna."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from renaissance.run_sets.member import Trial
from renaissance.run_sets.objective import Objective
from renaissance.run_sets.sweeping.space import combinations, drawn, read_space
from renaissance.settings import Settings


class Search(Protocol):
    """Finds values, and hears what came of them."""

    def values(self, number: int) -> dict[str, Any]:
        """The values of a trial."""

    def validated(self, number: int, validation: int, value: float) -> bool:
        """Hear of a trial's validation, the first is 1; whether the trial is hopeless."""

    def ended(self, trial: Trial) -> None:
        """Hear of a trial's end."""


class ListedValues:
    """Values that are known beforehand, and tell nothing of each other.

    Args:
        values: of each trial.
    """

    def __init__(self, values: Sequence[dict[str, Any]]) -> None:
        self._values = values

    def values(self, number: int) -> dict[str, Any]:
        """The values of a trial."""
        return self._values[number]

    def validated(self, number: int, validation: int, value: float) -> bool:
        """No trial is hopeless."""
        return False

    def ended(self, trial: Trial) -> None:
        """Nothing follows from it."""


def listed_values(settings: Settings) -> list[dict[str, Any]] | None:
    """The values of all trials; None where they follow from how earlier ones went."""
    assert settings.sweep is not None
    space = read_space(settings.sweep)
    if settings.sweep_search == "grid":
        return list(combinations(space))
    if settings.sweep_search == "random":
        assert settings.sweep_trials is not None
        return [drawn(space, settings.sweep_seed, number) for number in range(settings.sweep_trials)]
    return None


def search_of(settings: Settings, objective: Objective, journal: Path, known: Sequence[Trial]) -> Search:
    """The search that the settings ask for.

    Args:
        settings: checked for `sweep`.
        objective: what is optimised.
        journal: the file that Optuna keeps its study in.
        known: the trials of an earlier process.

    Raises:
        UserError: Optuna is asked for, and is not installed.
    """
    listed = listed_values(settings)
    if listed is not None and settings.sweep_pruning is None:
        return ListedValues(listed)
    from renaissance.run_sets.sweeping.study import Study

    return Study(settings, objective, journal, listed, known)
