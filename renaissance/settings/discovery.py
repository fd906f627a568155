"""What the settings must know of the tasks, found without importing them (they import PyTorch).

Their names are file names, so adding a task is adding a file. What a task reads is taken from the text of its file:
`needs = DataNeeds(..., image=True, text=False)`.
"""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from renaissance.tasks import task_names
from renaissance.training.optimizers.registry import optimizer_names

TASKS = Path(__file__).parents[1] / "tasks"


@cache
def task_reads(name: str) -> frozenset[str]:
    """Which of "image" and "text" a task reads; empty where its file does not say it in so many words."""
    path = TASKS / f"{name}.py"
    if not path.is_file():
        return frozenset()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DataNeeds":
            given = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
            return frozenset(side for side in ("image", "text") if given.get(side) is True)
    return frozenset()


@cache
def task_attribute(name: str, attribute: str) -> Any:
    """A class attribute of a task, such as `monitor`, as the text of its class or of those it builds on has it.

    Only values that are written out are found; None where there is none.
    """
    path = TASKS / f"{name}.py"
    files = [*sorted((TASKS / "common").glob("*.py")), *([path] if path.is_file() else [])]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    classes = {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
    waiting = [_assigned(trees[-1].body, "TASK")]
    while waiting:
        value = waiting.pop(0)
        found = classes.get(getattr(value, "id", ""))
        if found is None:
            continue
        with suppress(TypeError, ValueError):
            return ast.literal_eval(_assigned(found.body, attribute))  # type: ignore[arg-type]
        waiting += found.bases
    return None


def _assigned(body: Iterable[ast.stmt], name: str) -> ast.expr | None:
    """The expression that a name is set to in a module or a class."""
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(getattr(target, "id", "") == name for target in targets):
            return getattr(node, "value", None)
    return None


def monitored_fault(monitor: str, tasks: Sequence[str]) -> str | None:
    """Why a run on `tasks` reports no such metric of its validations, `<task>/val/<metric>`; None where it does."""
    reported = [f"{task}/val/{metric}" for task in tasks for metric in task_attribute(task, "metrics") or ()]
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
    """Each known task with its weight, 0 where none is given.

    Raises:
        ValueError: naming all faults.
    """
    if not isinstance(value, Mapping):
        raise ValueError("must be a weight for each task; one by one: loss_names.mlm=1 loss_names.itm=1")
    names = task_names()
    faults = []
    for name, weight in value.items():
        if name not in names:
            faults.append(f"there is no task {name!r}{suggestion(str(name), names) or ' (' + ', '.join(names) + ')'}")
        elif isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
            faults.append(f"the weight of {name} must be a number, at least 0, not {weight!r}")
    if faults:
        raise ValueError("; ".join(faults))
    return {name: float(value.get(name, 0)) for name in names}


def check_optimizer(value: Any) -> str:
    """The name of an optimiser.

    Raises:
        ValueError: there is none of that name.
    """
    names = optimizer_names()
    if value not in names:
        raise ValueError(f"must be {in_words(names)}, not {value!r}{suggestion(str(value), names)}")
    return str(value)


def in_words(choices: Sequence[str]) -> str:
    """The choices, with commas and "or" between them."""
    return " or ".join([", ".join(choices[:-1]), choices[-1]] if len(choices) > 1 else choices)
