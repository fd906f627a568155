"""Examples with classes, of a single image or a single text each, whichever data set they are of.

In: the name of a data set. Out: its splits, by schema. The tasks say what such examples are: those of a schema with a
column "label" of one class, and nothing beside it but an image or a text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renaissance.data.examples.interface import TRAIN, VAL
from renaissance.data.examples.schema import DataNeeds
from renaissance.data.examples.tables import TableExamples, open_split
from renaissance.data.sets import data_sets
from renaissance.data.tables.find import splits_there
from renaissance.errors import UserError
from renaissance.settings import Settings
from renaissance.tasks.registry import declaration_of, task_names

LABEL = "label"


@dataclass(frozen=True)
class ClassifiedData:
    """Examples of one schema of a data set.

    Attributes:
        needs: what they are: images or texts.
        settings: the command's, of this data set alone.
        splits: those that are there, by name.
    """

    needs: DataNeeds
    settings: Settings
    splits: tuple[str, ...]

    @property
    def name(self) -> str:
        """The data set's name, with the schema's where that is another: scenes_imdb."""
        (data_set,), schema = self.settings.datasets, self.needs.schema.name
        return data_set if data_set == schema else f"{data_set}_{schema}"

    @property
    def tested(self) -> str:
        """The split to test on: the first beyond training and validation, or validation where there is no such."""
        return next((split for split in self.splits if split not in (TRAIN, VAL)), VAL)

    def open(self, split: str) -> TableExamples:
        """The examples of a split.

        Raises:
            UserError: its table is missing or cannot be used, or it has no answers.
        """
        examples = open_split(self.settings, self.needs, split)
        if not examples.has(LABEL):
            raise UserError(f"{examples.describe()} has no classes ({LABEL}), so nothing can be counted right on it.")
        return examples


def classified_data(settings: Settings, *, images: bool, texts: bool) -> list[ClassifiedData]:
    """The examples with classes of the data set that `dataset` names.

    Args:
        settings: of the command.
        images: whether images can be read.
        texts: whether texts can.

    Returns:
        one or more, in the order of the data set's schemas.

    Raises:
        UserError: it has none of these kinds.
    """
    known = data_sets()[settings.dataset or ""]
    own = settings.model_copy(update={"datasets": [known.name]})
    needs = _needs_with_classes()
    found = [needs[name] for name in known.schemas if name in needs]
    wanted = [one for one in found if (one.image and images) or (one.text and texts)]
    if not wanted:
        kinds = " or ".join(kind for kind, read in (("images", images), ("texts", texts)) if read)
        has = ", ".join(f"{one.schema.name} ({'images' if one.image else 'texts'})" for one in found)
        raise UserError(
            f"dataset={known.name!r} has no {kinds} with classes that this model reads; "
            f"{f'it has {has}' if has else 'it has no classes at all'}. Data sets with such: "
            f"{', '.join(names_with_classes(images=images, texts=texts))}."
        )
    return [ClassifiedData(one, own, tuple(splits_there(own, one.schema.name))) for one in wanted]


def names_with_classes(*, images: bool, texts: bool) -> list[str]:
    """The data sets with single images, or single texts, in classes."""
    names = {name for name, one in _needs_with_classes().items() if (one.image and images) or (one.text and texts)}
    return [name for name, data_set in data_sets().items() if names & set(data_set.schemas)]


def labels_of(examples: TableExamples) -> NDArray[np.int64]:
    """The class of every example (N,); -1 where it is not known."""
    labels = (examples.value(index, LABEL) for index in range(len(examples)))
    return np.fromiter((-1 if label is None else label for label in labels), np.int64, len(examples))


def class_names_of(examples: TableExamples, labels: NDArray[np.int64]) -> list[str]:
    """The names of the classes; their numbers where the table does not name them."""
    return examples.class_names or [str(number) for number in range(int(labels.max(initial=0)) + 1)]


def _needs_with_classes() -> dict[str, DataNeeds]:
    """What tasks read that tell classes of single images, or of single texts, apart; by schema."""
    return {one.schema.name: one for one in map(_reads, task_names()) if _is_classified(one)}


def _reads(task: str) -> DataNeeds:
    return declaration_of(task).needs


def _is_classified(needs: DataNeeds) -> bool:
    columns = needs.columns()
    label = columns.get(LABEL)
    inputs = list(_inputs(needs))
    return label is not None and label.type == "class" and not label.per_text and inputs in (["image"], ["text"])


def _inputs(needs: DataNeeds) -> Iterator[str]:
    """The columns that an encoder would read."""
    for name, column in needs.columns().items():
        if column.type in ("image", "text", "boxes"):
            yield name
