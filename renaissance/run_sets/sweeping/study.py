"""Optuna's part of a sweep: it proposes values, and says which trials are hopeless (https://optuna.readthedocs.io).

The study is kept in a journal file, which Optuna recommends over SQLite for several processes. What the sweep's own
record says holds: a kill between two writes leaves Optuna a trial behind, and it is told again here.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from renaissance.errors import UserError
from renaissance.run_sets.member import State, Trial
from renaissance.run_sets.objective import Objective
from renaissance.run_sets.sweeping.space import Choices, Range, Space, read_space
from renaissance.settings import Settings

# Of a trial of the sweep, what it is to Optuna.
ENDS = {State.FINISHED: "COMPLETE", State.PRUNED: "PRUNED", State.FAILED: "FAIL"}


def import_optuna() -> Any:
    """Optuna, told to keep its remarks to itself.

    Raises:
        UserError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise UserError(
            'sweep_search=bayesian and sweep_pruning need Optuna: pip install -e ".[sweep]". '
            f"Grid and random search without pruning do without it ({error})."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


class Study:
    """A study of Optuna's, whose trials have the numbers of the sweep's.

    Args:
        settings: checked for `sweep`.
        objective: what is optimised.
        journal: the file that it is kept in.
        listed: the values of all trials, where they are known beforehand; None has Optuna propose them.
        known: the trials of an earlier process.

    Raises:
        UserError: Optuna is not installed.
    """

    def __init__(
        self,
        settings: Settings,
        objective: Objective,
        journal: Path,
        listed: Sequence[dict[str, Any]] | None,
        known: Sequence[Trial],
    ) -> None:
        assert settings.sweep is not None
        self._optuna = import_optuna()
        self._space = read_space(settings.sweep)
        self._seed = settings.sweep_seed
        self._listed = listed
        self._study = self._optuna.create_study(
            study_name="sweep",
            storage=_storage(self._optuna, journal),
            direction="maximize" if objective.more_is_better else "minimize",
            pruner=_pruner(self._optuna, settings.sweep_pruning),
            load_if_exists=True,
        )
        for trial in known:
            if trial.state in ENDS:
                self.ended(trial)

    def values(self, number: int) -> dict[str, Any]:
        """The values of a trial; of one that Optuna has begun already, those that it began with."""
        # A sampler for each trial, whose choices follow from the seed, the number and the trials before.
        self._study.sampler = self._optuna.samplers.TPESampler(
            seed=hash((self._seed, number)) % 2**32,
            constant_liar=True,  # trials at work count as poor ones
        )
        if len(self._study.get_trials(deepcopy=False)) <= number:
            if self._listed is not None:
                self._study.enqueue_trial(_encoded(self._space, self._listed[number]))
            self._study.ask()
        trial = self._trial(number)
        return {name: _suggested(trial, name, of) for name, of in self._space.items()}

    def validated(self, number: int, validation: int, value: float) -> bool:
        """Report a value, and ask whether the trial is hopeless."""
        if validation not in self._study.get_trials(deepcopy=False)[number].intermediate_values:
            self._trial(number).report(value, validation)
        return bool(self._trial(number).should_prune())

    def ended(self, trial: Trial) -> None:
        """Tell what came of a trial, unless Optuna knows."""
        there = self._study.get_trials(deepcopy=False)
        if trial.number >= len(there) or there[trial.number].state.is_finished():
            return
        state = self._optuna.trial.TrialState[ENDS[trial.state]]
        self._study.tell(trial.number, trial.value if trial.state is State.FINISHED else None, state=state)

    def _trial(self, number: int) -> Any:
        """A handle of a trial, of this process's or an earlier one's."""
        return self._optuna.trial.Trial(self._study, self._study.get_trials(deepcopy=False)[number]._trial_id)


def importances(space: Space, trials: Sequence[Trial], more_is_better: bool) -> dict[str, float]:
    """How much of the differences between trials each setting accounts for, by fANOVA; together 1.

    Hutter, Hoos and Leyton-Brown, An Efficient Approach for Assessing Hyperparameter Importance, ICML 2014.

    Args:
        space: what was swept.
        trials: those that have finished.
        more_is_better: of what was optimised.

    Raises:
        UserError: Optuna is not installed.
    """
    optuna = import_optuna()
    study = optuna.create_study(direction="maximize" if more_is_better else "minimize")
    for trial in trials:
        study.add_trial(
            optuna.trial.create_trial(
                params=_encoded(space, trial.values),
                distributions={name: _distribution(optuna, of) for name, of in space.items()},
                value=trial.value,
            )
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}


def _storage(optuna: Any, journal: Path) -> Any:
    """The storage in a file, of which a killed process may have left a lock and half a line.

    This process has the sweep to itself, so both are of a process that is gone.
    """
    for lock in journal.parent.glob(f"{journal.name}.lock*"):
        lock.unlink()
    if journal.is_file():
        content = journal.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with journal.open("r+b") as file:
                file.truncate(whole)
    backend = optuna.storages.journal.JournalFileBackend(str(journal))
    return optuna.storages.JournalStorage(backend)


def _pruner(optuna: Any, name: str | None) -> Any:
    if name == "median":
        return optuna.pruners.MedianPruner()
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner()
    return optuna.pruners.NopPruner()


def _distribution(optuna: Any, of: Choices | Range) -> Any:
    if isinstance(of, Choices):
        return optuna.distributions.CategoricalDistribution([_text(value) for value in of.values])
    if of.whole:
        return optuna.distributions.IntDistribution(int(of.low), int(of.high), log=of.log)
    return optuna.distributions.FloatDistribution(of.low, of.high, log=of.log)


def _suggested(trial: Any, name: str, of: Choices | Range) -> Any:
    if isinstance(of, Choices):
        return json.loads(trial.suggest_categorical(name, [_text(value) for value in of.values]))
    if of.whole:
        return trial.suggest_int(name, int(of.low), int(of.high), log=of.log)
    return trial.suggest_float(name, of.low, of.high, log=of.log)


def _encoded(space: Space, values: dict[str, Any]) -> dict[str, Any]:
    return {name: _text(values[name]) if isinstance(of, Choices) else values[name] for name, of in space.items()}


def _text(value: Any) -> str:
    """A value of a list as Optuna keeps it: lists and dictionaries are nothing that it knows."""
    return json.dumps(value, sort_keys=True)
