"""The command `sweep`: trains a configuration with many values of its settings, and ranks them.

Comes in: settings with `sweep`, and the command line. Goes out: a run folder for each trial and seed; in the sweep's
folder `results.csv`, ranked, `main_effects.csv` and `parallel_coordinates.png`.
"""

from __future__ import annotations

from renaissance.errors import RunError
from renaissance.run_sets.command_line import CommandLine, check_several
from renaissance.run_sets.launchers.choice import launcher_of
from renaissance.run_sets.member import State
from renaissance.run_sets.objective import Objective
from renaissance.run_sets.scheduler import Scheduler
from renaissance.run_sets.set_folder import RunSet, identity_of, set_to_go_on_with
from renaissance.run_sets.sweeping.check import check_space, check_trials
from renaissance.run_sets.sweeping.results import show_results
from renaissance.run_sets.sweeping.search import listed_values, search_of
from renaissance.run_sets.sweeping.space import read_space
from renaissance.run_sets.sweeping.study import import_optuna
from renaissance.run_sets.sweeping.trials import TrialSource
from renaissance.settings import Settings

KIND = "sweeps"  # the folder under log_dir
JOURNAL = "optuna.journal"
OF_SWEEP = ("sweep", "sweep_search", "sweep_trials", "sweep_seed", "sweep_pruning", "seeds")


def sweep(settings: Settings, command_line: CommandLine) -> None:
    """Train every trial, and show what came of them.

    Args:
        settings: checked for `sweep`.
        command_line: the sweep's.

    Raises:
        UserError: for a mistake in what the user gave.
        RunError: trials failed; the others have gone on.
        Interrupted: after Ctrl-C or SIGTERM, when the runs have saved their states.
    """
    assert settings.sweep is not None
    check_several(settings, command_line, "sweep")
    if settings.sweep_search == "bayesian" or settings.sweep_pruning is not None:
        import_optuna()
    total = _check(settings)
    run_set = _set_of(settings, command_line)
    with run_set.at_work():
        _work_through(settings, command_line, run_set, total)


def _check(settings: Settings) -> int:
    """Check all that is known of the trials; gives how many there are to be."""
    assert settings.sweep is not None
    listed = listed_values(settings)
    if listed is None:
        check_space(settings, read_space(settings.sweep))
        assert settings.sweep_trials is not None
        return settings.sweep_trials
    check_trials(settings, listed)
    return len(listed)


def _set_of(settings: Settings, command_line: CommandLine) -> RunSet:
    """The sweep that goes on, or a new one."""
    assert settings.sweep is not None
    values = settings.model_dump(mode="json")
    identity = {**identity_of(settings, ["seed", *settings.sweep]), **{name: values[name] for name in OF_SWEEP}}
    return set_to_go_on_with(settings, KIND, identity, lambda found: found.status == "finished", command_line.of_set())


def _work_through(settings: Settings, command_line: CommandLine, run_set: RunSet, total: int) -> None:
    objective = Objective.of_settings(settings)
    launcher = launcher_of(settings, run_set, command_line)
    search = search_of(settings, objective, run_set.path / JOURNAL, run_set.trials)
    source = TrialSource(run_set, settings, search, objective, total)
    seeds = len(settings.seeds or [0])
    each = f" of {seeds} seeds" if seeds > 1 else ""
    print(f"{total} trials{each}, {settings.sweep_search}, {settings.runs_at_once} at once: {run_set.path}")
    print(f"best by: {objective.in_words()}, at a run's best validation{', the mean over seeds' if each else ''}")
    where = settings.log_dir, settings.exp_name
    ended = "stopped"
    try:
        Scheduler(run_set, source, launcher, objective, settings.runs_at_once, where, total * seeds).run()
        failed = [trial for trial in run_set.trials if trial.state is State.FAILED]
        ended = "failed" if failed else "finished"
    finally:
        run_set.status = ended
        run_set.save()
        if run_set.trials:
            show_results(run_set, read_space(settings.sweep or {}), objective)
        print(f"sweep: {run_set.path}")
        if ended == "stopped":
            print("The same command with resume_from=auto keeps what has finished, and goes on with the rest.")
    if failed:
        lines = [f"{len(failed)} of {total} trials failed:"]
        lines += [f"  * trial {trial.number}: {trial.problem}" for trial in failed]
        lines += [f"What they printed is in {run_set.path / 'output'}. The same command with resume_from=auto keeps "
                  "what has finished, and tries these once more."]  # fmt: skip
        raise RunError("\n".join(lines))
