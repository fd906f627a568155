"""The classes of a run: one numbering for its splits, its heads and the checkpoint that it goes on from.

Comes in: the splits' tables, which name their classes each in an order of its own, and checkpoints. Goes out: sources
whose labels are numbered alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from renaissance.checkpoints.inherit import Donor
from renaissance.errors import UserError
from renaissance.tasks.common.task import HEAD_SUFFIX
from renaissance.training.inputs import TaskGroup


def number_classes(groups: Sequence[TaskGroup], donors: Sequence[Donor], *, bound: bool) -> dict[str, list[str]]:
    """Number the classes of every split alike: as the checkpoint has them, or else as the training data.

    Args:
        groups: the tasks with their splits, the training one first.
        donors: the weights to load.
        bound: the model keeps the checkpoint's heads, for it is tested or its training goes on. Otherwise they are
            kept where the training data have the same classes.

    Returns:
        the names of the classes by task; none where the data have no classes.

    Raises:
        UserError: a split has a class that the model does not know.
    """
    found = [_number_classes(group, donors, bound) for group in groups if group.needs.schema.has_classes]
    return {task: names for names_of_tasks in found for task, names in names_of_tasks.items()}


def _number_classes(group: TaskGroup, donors: Sequence[Donor], bound: bool) -> dict[str, list[str]]:
    """Number the classes of a group's splits; gives their names by task."""
    first = next(iter(group.examples.values()))
    names, whose = first.class_names, f"the training data, {first.describe()}, have"
    known = next((own for donor in donors for task in group.tasks if (own := _classes_of_head(donor, task))), None)
    if known is not None and (bound or (names is not None and set(known) == set(names))):
        names, whose = known, "the checkpoint has"
    for examples in group.examples.values():
        examples.adopt_classes(names, whose)
    return {} if names is None else dict.fromkeys(group.tasks, names)


def heads_of_other_classes(donor: Donor, class_names: Mapping[str, list[str]]) -> set[str]:
    """The heads of a donor that tell other classes apart than the run's, so their weights mean nothing here.

    Raises:
        UserError: such a head was asked for by its name.
    """
    other = set()
    for task, names in class_names.items():
        known = _classes_of_head(donor, task)
        if known is not None and known != names:
            if donor.part is not None:
                raise UserError(
                    f"load_modules: {donor.part} of {donor.checkpoint.path} has the classes {known}, the data have "
                    f"{names}. Leave it out, and the head begins anew."
                )
            other.add(task + HEAD_SUFFIX)
    return other


def _classes_of_head(donor: Donor, task: str) -> list[str] | None:
    """The classes of a task's head, where a donor brings that head and knows them."""
    return donor.checkpoint.description.label_names.get(task) if donor.part in (None, task + HEAD_SUFFIX) else None
