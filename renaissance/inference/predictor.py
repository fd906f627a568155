"""Some of a model's tasks made ready to answer examples: what does not depend on the examples is worked out once.

In: a `Model`, the names of its tasks, and examples as dictionaries, a batch of them at a time. Out: plain answers by
task. `Model.predict` and `serve` both predict with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from renaissance.data.examples.schema import ColumnType
from renaissance.inference.asked import TrainedModel, asked_of
from renaissance.inference.inputs import Example, check_examples


def named_in_examples(index: int, field: str) -> str:
    """What messages call a field of an example."""
    return f"examples[{index}]['{field}']"


class Predictor:
    """Answers examples with some tasks of a model.

    Args:
        model: the trained model.
        names: of the tasks.

    Attributes:
        fields: what an example must have, with its type, by name.
    """

    def __init__(self, model: TrainedModel, names: Sequence[str]) -> None:
        self._model = model
        found = asked_of(model, {name: model.tasks[name] for name in names})
        self._asked = [(asked, asked.batches(model)) for asked in found]
        self.fields: dict[str, ColumnType] = {name: kind for asked in found for name, kind in asked.fields.items()}

    def check(self, examples: Sequence[Example]) -> None:
        """Check that every example has what the tasks read; the images are not opened.

        Raises:
            UserError: naming the example and the field at fault.
        """
        for asked, _ in self._asked:
            check_examples(examples, asked.fields, named_in_examples)

    @torch.inference_mode()
    def answers(self, examples: Sequence[Example], first: int = 0) -> list[dict[str, Any]]:
        """What the tasks say of checked examples, which are one batch.

        Args:
            examples: N dictionaries.
            first: the place of the first among all, for messages.

        Returns:
            N dictionaries by task.

        Raises:
            UserError: naming the image that cannot be read.
        """
        answers: list[dict[str, Any]] = [{} for _ in examples]
        for asked, batches in self._asked:
            step = self._model.step(batches.make(examples, named_in_examples, first))
            for name, task in asked.tasks.items():
                for answer, found in zip(answers, task.answers(step), strict=True):
                    answer[name] = found
        return answers
