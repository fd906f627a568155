"""Whether trials can be trained, as far as their settings tell: asked before the first of them starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from renaissance.errors import UserError
from renaissance.run_sets.command_line import OF_SET
from renaissance.run_sets.sweeping.space import Choices, Range, Space
from renaissance.settings import Settings, check_settings
from renaissance.settings.defaults import default_settings


def settings_of_trial(settings: Settings, values: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a trial, unchecked. Of a dictionary, such as `loss_names`, a value may have some entries alone.

    Args:
        settings: the sweep's.
        values: what the trial has of its own.
    """
    base = settings.model_dump()
    own = {
        name: {**base[name], **value} if isinstance(value, Mapping) and isinstance(base.get(name), Mapping) else value
        for name, value in values.items()
    }
    return {**base, **{name: default_settings()[name] for name in OF_SET}, **own}


def fault_of_trial(settings: Settings, values: Mapping[str, Any]) -> str | None:
    """What is wrong with a trial's settings, in a line; None where nothing is."""
    faults = _faults(settings, values)
    return "; ".join(faults) if faults else None


def check_trials(settings: Settings, trials: Sequence[Mapping[str, Any]]) -> None:
    """Check the settings of trials that are known beforehand.

    Raises:
        UserError: naming every fault once, with the first trial that has it.
    """
    found: dict[str, int] = {}
    for number, values in enumerate(trials):
        for fault in _faults(settings, values):
            found.setdefault(fault, number)
    _refuse(found)


def check_space(settings: Settings, space: Space) -> None:
    """Check every value of a list, and both ends of every range, beside the first values of the others.

    Raises:
        UserError: naming every fault once.
    """
    first = {name: of.values[0] if isinstance(of, Choices) else of.low for name, of in space.items()}
    found: dict[str, int] = {}
    for name, of in space.items():
        for value in (of.low, of.high) if isinstance(of, Range) else of.values:
            for fault in _faults(settings, {**first, name: value}):
                found.setdefault(fault, 0)
    _refuse(found)


def _refuse(found: Mapping[str, int]) -> None:
    if found:
        count = "a fault" if len(found) == 1 else f"{len(found)} faults"
        lines = [f"  * {fault} (trial {number})" for fault, number in found.items()]
        raise UserError("\n".join([f"The trials of the sweep have {count}:", *lines]))


def _faults(settings: Settings, values: Mapping[str, Any]) -> list[str]:
    """A line each."""
    try:
        check_settings(settings_of_trial(settings, values), "train")
    except UserError as error:
        return [line.removeprefix("  * ") for line in str(error).splitlines()[1:]]
    return []
