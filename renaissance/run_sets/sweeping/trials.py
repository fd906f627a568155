"""The trials of a sweep as runs: one a trial, or one for each of its seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from renaissance.run_sets.member import Member, State, Trial
from renaissance.run_sets.objective import Objective
from renaissance.run_sets.set_folder import RunSet
from renaissance.run_sets.sweeping.check import fault_of_trial
from renaissance.run_sets.sweeping.search import Search
from renaissance.settings import Settings

ENDED = (State.FINISHED, State.FAILED, State.PRUNED)


class TrialSource:
    """The runs of a sweep: those of a trial one after the other, then the next trial's.

    A trial's value is the mean over its seeds of each run's best validation. It is given up by the run of its first
    seed, which all trials share; its further seeds are then not begun.

    Args:
        run_set: the sweep, whose trials this keeps.
        settings: checked for `sweep`.
        search: finds values.
        objective: what is optimised.
        total: how many trials there are to be.
    """

    def __init__(self, run_set: RunSet, settings: Settings, search: Search, objective: Objective, total: int) -> None:
        self._set = run_set
        self._settings = settings
        self._search = search
        self._objective = objective
        self._total = total
        self._tried: set[str] = set()
        self._validations: dict[str, int] = {}

    def next(self) -> Member | None:
        """The next run: of a trial that is under way, else of a new one."""
        while True:
            for trial in self._set.trials:
                if trial.state in ENDED and not self._failed_before(trial):
                    continue
                member = self._next_of(trial)
                if member is not None:
                    trial.state, trial.problem = State.RUNNING, ""
                    return member
                self._judge(trial)  # an earlier process may have been killed before it did
            if len(self._set.trials) >= self._total:
                return None
            self._begin()

    def validated(self, member: Member, step: int, value: float) -> bool:
        """Tell the search of a validation of a trial's first seed."""
        self._validations[member.name] = self._validations.get(member.name, 0) + 1
        if member.trial is None or member.settings.get("seed") != self._seeds()[0].get("seed"):
            return False
        return self._search.validated(member.trial, self._validations[member.name], value)

    def ended(self, member: Member, status: int) -> None:
        """Note what came of the trial, where this was its last run."""
        assert member.trial is not None
        self._validations.pop(member.name, None)
        self._judge(self._set.trials[member.trial])

    def _judge(self, trial: Trial) -> None:
        """End a trial whose runs have all ended."""
        members = self._members(trial)
        states = [one.state for one in members]
        if State.RUNNING in states or State.STOPPED in states:
            return
        if State.PRUNED in states:
            self._end(trial, State.PRUNED)
        elif State.FAILED in states:
            failed = next(one for one in members if one.state is State.FAILED)
            said = failed.problem.strip().splitlines()
            self._end(trial, State.FAILED, said[-1] if said else "it said nothing")
        elif len(members) == len(self._seeds()):
            self._finish(trial, members)

    def _finish(self, trial: Trial, members: Sequence[Member]) -> None:
        best = [self._objective.best(self._objective.values(member.run.metrics)) for member in members]
        if None in best:
            self._end(trial, State.FAILED, f"its runs have no {self._objective.name}: there is nothing to validate on")
            return
        values = [found[1] for found in best if found is not None]
        if not all(map(math.isfinite, values)):  # neither a record in JSON nor Optuna can hold such a value
            self._end(trial, State.FAILED, f"its {self._objective.name} is not finite at any validation")
            return
        trial.of_seeds = values
        trial.value = sum(trial.of_seeds) / len(trial.of_seeds)
        self._end(trial, State.FINISHED)

    def _end(self, trial: Trial, state: State, problem: str = "") -> None:
        trial.state, trial.problem = state, problem
        self._set.save()
        self._search.ended(trial)

    def _begin(self) -> None:
        """Add the next trial; one whose settings cannot go together has failed before it is begun."""
        trial = Trial(len(self._set.trials), self._search.values(len(self._set.trials)))
        self._set.trials.append(trial)
        self._set.save()
        fault = fault_of_trial(self._settings, trial.values)
        print(f"trial {trial.number}: {values_in_words(trial.values)}", flush=True)
        if fault is not None:
            print(f"trial {trial.number}: failed: {fault}")
            self._end(trial, State.FAILED, fault)

    def _next_of(self, trial: Trial) -> Member | None:
        """The next run of a trial that is not at work and was not tried by this process."""
        known = {member.name: member for member in self._members(trial)}
        if any(one.state is State.FAILED and name in self._tried for name, one in known.items()):
            return None
        if any(one.state is State.PRUNED for one in known.values()):
            return None
        for own in self._seeds():
            name = f"trial {trial.number}" + "".join(f", seed {seed}" for seed in own.values())
            member = known.get(name) or Member(name, {**trial.values, **own}, trial.number)
            if name not in self._tried and member.state in (State.WAITING, State.STOPPED, State.FAILED):
                self._tried.add(name)
                return member
        return None

    def _failed_before(self, trial: Trial) -> bool:
        """Whether a trial has failed in an earlier process, and is tried once more."""
        members = self._members(trial)
        return trial.state is State.FAILED and any(
            one.state is State.FAILED and one.name not in self._tried for one in members
        )

    def _members(self, trial: Trial) -> list[Member]:
        return [member for member in self._set.members if member.trial == trial.number]

    def _seeds(self) -> list[Mapping[str, Any]]:
        return [{"seed": seed} for seed in self._settings.seeds] if self._settings.seeds else [{}]


def values_in_words(values: Mapping[str, Any]) -> str:
    """Swept settings as a line has them."""
    return "  ".join(f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
                     for name, value in values.items())  # fmt: skip
