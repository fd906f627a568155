"""Whether the record of a set can be believed: `set.json` may be damaged, or of somebody else.

What it says of a run becomes a command line and a folder that files are removed from, so nothing but what a set of
these settings would have written goes through.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from renaissance.run_sets.member import Member, State, Trial

JOB = re.compile(r"\d+(_\d+)?")  # as SLURM and submitit number them


def check_record(
    log_dir: Path, identity: Mapping[str, Any], members: Sequence[Member], trials: Sequence[Trial]
) -> None:
    """Refuse runs and trials that are none of a set with this identity.

    Args:
        log_dir: the folder that the set's kind of folder lies in.
        identity: of the set.
        members: its runs, as its record tells them.
        trials: its trials.

    Raises:
        ValueError: naming what is not as a set writes it.
        TypeError, KeyError, AttributeError: something is of another kind than a set writes.
    """
    for number, trial in enumerate(trials):
        _check_trial(trial, number, identity.get("sweep") or {})
    for member in members:
        _check_settings(member, trials)
        if member.folder is not None and not _is_run_folder(Path(member.folder), log_dir / identity["exp_name"]):
            raise ValueError(f"{member.folder} is no run's folder below {log_dir}")
        if member.job is not None and not JOB.fullmatch(member.job):
            raise ValueError(f"{member.job!r} is no job's number")
        if not isinstance(member.problem, str):
            raise ValueError(f"{member.name}: its problem is no text")


def _check_trial(trial: Trial, number: int, sweep: Mapping[str, Any]) -> None:
    """See that a trial has values of what is swept, and a result where it has finished."""
    if trial.number != number or type(number) is not type(trial.number):
        raise ValueError(f"trial {trial.number!r} stands in the place of trial {number}")
    if trial.values.keys() != sweep.keys():
        raise ValueError(f"trial {number} has other settings than those that are swept")
    for name, value in trial.values.items():
        if not _is_in(value, sweep[name]):
            raise ValueError(f"trial {number}: {name}={value!r} is not among what is swept")
    known = [*trial.of_seeds, *([] if trial.value is None else [trial.value])]
    if not all(_is_number(value) for value in known) or (trial.state is State.FINISHED and trial.value is None):
        raise ValueError(f"trial {number} has no number as its result")
    if not isinstance(trial.problem, str):
        raise ValueError(f"trial {number}: its problem is no text")


def _check_settings(member: Member, trials: Sequence[Trial]) -> None:
    """See that a run is told its seed and its trial's values alone, and is called accordingly: files have its name."""
    own = dict(member.settings)
    seed = own.pop("seed", None)
    if seed is not None and not (type(seed) is int and 0 <= seed < 2**32):
        raise ValueError(f"{member.name!r}: seed={seed!r} is none")
    if member.trial is None:
        values, name = {}, f"seed {seed}"
    else:
        if type(member.trial) is not int or not 0 <= member.trial < len(trials):
            raise ValueError(f"{member.name!r}: there is no trial {member.trial!r}")
        values = trials[member.trial].values
        name = f"trial {member.trial}" + (f", seed {seed}" if seed is not None else "")
    if own != values:
        raise ValueError(f"{member.name!r} has other settings than its trial")
    if member.name != name:
        raise ValueError(f"{member.name!r} should be called {name!r}")


def _is_in(value: object, swept: Any) -> bool:
    """Whether a value is one of a list, or between the ends of a range; True is not 1."""
    if isinstance(swept, list):
        return any(value == one and type(value) is type(one) for one in swept)
    return _is_number(value) and swept["low"] <= value <= swept["high"]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _is_run_folder(folder: Path, parent: Path) -> bool:
    return folder.name.isdecimal() and folder.parent.resolve() == parent.resolve()
