"""What came of a sweep: trials by rank, what each setting's values come to, and a picture of them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from renaissance.atomic_files import write_csv
from renaissance.errors import UserError
from renaissance.run_sets.member import State, Trial
from renaissance.run_sets.objective import Objective
from renaissance.run_sets.set_folder import RunSet
from renaissance.run_sets.sweeping.picture import draw_parallel
from renaissance.run_sets.sweeping.space import Choices, Range, Space
from renaissance.run_sets.sweeping.study import importances
from renaissance.text_table import text_table
from renaissance.tracking.statistics import estimate

EFFECT_COLUMNS = ("setting", "value", "mean", "s", "trials")
PARTS = 3  # that a range is cut into, for main effects
FEWEST = 4  # finished trials that importances are worked out of


def show_results(run_set: RunSet, space: Space, objective: Objective) -> None:
    """Print the ranking and the main effects, and write them and the picture into the sweep's folder.

    Args:
        run_set: the sweep.
        space: what was varied.
        objective: what was optimised.
    """
    ranked = rank(run_set.trials, objective)
    header, rows = ranking(run_set, ranked, space, objective)
    write_csv(run_set.path / "results.csv", header, rows)
    print(text_table(header, rows))
    finished = [trial for trial in ranked if trial.state is State.FINISHED]
    if len(finished) > 1:
        effects = main_effects(finished, space)
        write_csv(run_set.path / "main_effects.csv", EFFECT_COLUMNS, effects)
        print(f"\nmain effects: mean {objective.name} of the trials with a value")
        print(text_table(EFFECT_COLUMNS, effects))
        _show_importances(finished, space, objective)
        picture = draw_parallel(finished, space, objective, run_set.path / "parallel_coordinates.png")
        print(f"picture: {picture}")
    if finished:
        best = finished[0]
        told = " ".join(f"{name}={value!r}" for name, value in best.values.items())
        print(f"best: trial {best.number}, {objective.name} {best.value:.4g}: {told}")


def rank(trials: Sequence[Trial], objective: Objective) -> list[Trial]:
    """Trials by their value, the best first; those without one last."""
    sign = -1 if objective.more_is_better else 1
    valued = [trial for trial in trials if trial.value is not None]
    return [
        *sorted(valued, key=lambda trial: sign * (trial.value or 0.0)),
        *(trial for trial in trials if trial.value is None),
    ]


def ranking(
    run_set: RunSet, ranked: Sequence[Trial], space: Space, objective: Objective
) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """The table of trials: its header, and a row each."""
    several = any(len(trial.of_seeds) > 1 for trial in ranked)
    rows: list[tuple[object, ...]] = []
    for place, trial in enumerate(ranked, 1):
        folders = [member.folder for member in run_set.members if member.trial == trial.number and member.folder]
        spread = (estimate(trial.of_seeds).deviation if trial.of_seeds else None,) if several else ()
        shown = (_shown(trial.values.get(name)) for name in space)
        ahead = sum(other.value is not None and other.value != trial.value for other in ranked[: place - 1])
        where = ahead + 1 if trial.value is not None else None
        rows.append((where, trial.number, *shown, trial.value, *spread, str(trial.state), " ".join(folders)))
    spread_column = ("s",) if several else ()
    return ("rank", "trial", *space, objective.name, *spread_column, "state", "runs"), rows


def main_effects(finished: Sequence[Trial], space: Space) -> list[tuple[object, ...]]:
    """A row for each value of each setting, of a range for each third: the mean over the trials that have it."""
    rows: list[tuple[object, ...]] = []
    for name, of in space.items():
        for label, values in _parts(name, of, finished):
            if values:
                over = estimate(values)
                rows.append((name, label, over.mean, over.deviation, over.count))
    return rows


def _parts(name: str, of: Choices | Range, finished: Sequence[Trial]) -> list[tuple[object, list[float]]]:
    """Of each value, or each third of a range, the values of the trials that have it."""
    if isinstance(of, Choices):
        return [
            (_shown(value), [_value(trial) for trial in finished if trial.values[name] == value and
                             type(trial.values[name]) is type(value)])
            for value in of.values
        ]  # fmt: skip
    edges = [of.at(part / PARTS) if part else of.low for part in range(PARTS)] + [of.high]
    found: list[tuple[object, list[float]]] = []
    for part in range(PARTS):
        low, high, last = edges[part], edges[part + 1], part == PARTS - 1
        inside = [trial for trial in finished if low <= trial.values[name] and (last or trial.values[name] < high)]
        found.append((f"{low:.3g} to {high:.3g}", [_value(trial) for trial in inside]))
    return found


def _show_importances(finished: Sequence[Trial], space: Space, objective: Objective) -> None:
    """Print how much each setting accounts for, where there are trials enough and Optuna is installed."""
    if len(finished) < FEWEST or len(space) < 2 or len({trial.value for trial in finished}) < 2:
        return
    try:
        found: Mapping[str, float] = importances(space, finished, objective.more_is_better)
    except UserError:  # Optuna is an extra, and this the one thing of a grid that it is for
        return
    shares = ", ".join(f"{name} {share:.0%}" for name, share in found.items())
    print(f"share of the differences that each setting accounts for (fANOVA): {shares}")


def _value(trial: Trial) -> float:
    assert trial.value is not None
    return trial.value


def _shown(value: object) -> object:
    """A swept value as a cell: True and False as they are written on the command line."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
