"""What curves, splits and axes are called in words."""

from __future__ import annotations

from renaissance.tasks.declaration import Family
from renaissance.tasks.registry import declaration_of, is_task, metric_of
from renaissance.tracking.pace import Axis

SPLITS = {"train": "training", "val": "validation"}  # every other split goes by its own name
AXES: dict[Axis, str] = {
    "step": "Optimiser step",
    "epoch": "Epoch",
    "examples": "Training examples",
    "hours": "Working time",
}
TIME_AXIS = "Working time ({unit})"
PACE = {  # of a column of pace.csv the title and the y axis
    "learning_rate": ("Learning rate", "Rate"),
    "gradient_norm": ("Gradient norm before clipping", "Norm"),
    "examples_per_second": ("Training speed", "Examples a second"),
}


def task_title(task: str) -> str:
    """A task as its declaration titles it; the bare name of one that is not installed."""
    return (declaration_of(task).title if is_task(task) else "") or task


def metric_title(task: str, metric: str) -> str:
    """A metric of a task as it is declared; of one that is not declared its name, without underscores."""
    declared = metric_of(task, metric)
    return (declared.title if declared else "") or metric.replace("_", " ")


def family_of(task: str, metric: str) -> Family | None:
    """The family that a metric is declared to be of."""
    declared = metric_of(task, metric)
    return declared.family if declared else None


def within_family(title: str) -> str:
    """Of the title of a metric in a family what tells it from the others: what stands behind the comma, if one does."""
    return title.rpartition(", ")[2]


def capital(text: str) -> str:
    """A text that begins with a capital, as titles and axes do."""
    return text[:1].upper() + text[1:]
