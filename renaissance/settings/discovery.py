"""What the settings must know of the tasks, out of their declarations: no PyTorch is imported for it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from renaissance.tasks.registry import declaration_of, recorded_name, task_names
from renaissance.training.optimizers.registry import optimizer_names
from renaissance.training.schedules.registry import schedule_names


def task_reads(name: str) -> frozenset[str]:
    """Which of "image" and "text" a task reads."""
    needs = declaration_of(name).needs
    return frozenset(side for side in ("image", "text") if getattr(needs, side))


def monitored_fault(monitor: str, tasks: Sequence[str]) -> str | None:
    """Why a run on `tasks` reports no such metric of its validations, `<task>/val/<metric>`; None where it does."""
    reported = [f"{task}/val/{metric.name}" for task in tasks for metric in declaration_of(task).metrics]
    if monitor in reported:
        return None
    if monitor.replace("/train/", "/val/").replace("/test/", "/val/") in reported:
        return "the best checkpoint is chosen by a metric of the validation, <task>/val/<metric>"
    return f"the tasks report no such metric{suggestion(monitor, reported) or ' (' + ', '.join(reported) + ')'}"


def suggestion(word: str, words: Iterable[str]) -> str:
    """A question whether the nearest of `words` was meant; empty where none is near."""
    near = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def check_loss_names(value: Any) -> dict[str, float]:
    """Each known task with its weight, 0 where none is given; under the name that runs record, if it has older ones.

    Raises:
        ValueError: naming all faults.
    """
    if not isinstance(value, Mapping):
        raise ValueError("must be a weight for each task; one by one: loss_names.mlm=1 loss_names.itm=1")
    names = task_names()
    faults = []
    weights = dict.fromkeys(names, 0.0)
    for given, weight in value.items():
        name = recorded_name(str(given))
        if name not in names:
            near = suggestion(str(name), names) or f" ({', '.join(names)})"
            faults.append(f"there is no task {name!r}{near}; a plug-in's are known where plugins=… names it")
        elif isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
            faults.append(f"the weight of {name} must be a number, at least 0, not {weight!r}")
        elif weight and weights[name] and weights[name] != weight:
            faults.append(f"{name} has two weights, one under an older name: give one")
        else:
            weights[name] = weights[name] or float(weight)
    if faults:
        raise ValueError("; ".join(faults))
    return weights


def check_optimizer(value: Any) -> str:
    """The name of an optimiser.

    Raises:
        ValueError: there is none of that name.
    """
    return _one_of(optimizer_names(), value)


def check_schedule(value: Any) -> str:
    """The name of a schedule; None is that of the one that leaves the learning rate as it is.

    Raises:
        ValueError: there is none of that name.
    """
    return _one_of(schedule_names(), "none" if value is None else value)


def _one_of(names: Sequence[str], value: Any) -> str:
    if value not in names:
        raise ValueError(f"must be {in_words(names)}, not {value!r}{suggestion(str(value), names)}")
    return str(value)


def in_words(choices: Sequence[str]) -> str:
    """The choices, with commas and "or" between them."""
    return " or ".join([", ".join(choices[:-1]), choices[-1]] if len(choices) > 1 else choices)
