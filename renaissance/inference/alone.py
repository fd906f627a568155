"""Images or texts, each alone, in batches on a model's device; and the bar that tells how far a long work has come.

In: a trained model, and pictures or texts in a list. Out: its steps, of which features can be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from tqdm import tqdm

from renaissance.data.examples.schema import Column, Schema
from renaissance.errors import UserError
from renaissance.inference.asked import ExampleBatches, TrainedModel
from renaissance.inference.inputs import Example, check_examples
from renaissance.tasks.common.step import Step

PATIENCE_SECONDS = 2.0  # before a progress bar is shown


def steps_alone(
    model: TrainedModel, values: Sequence[Any], field: Literal["image", "text"], batch_size: int, what: str
) -> Iterator[Step]:
    """Images or texts in batches on the device; with a progress bar where it takes long.

    Args:
        model: what reads them.
        values: the images, or the texts; messages call them "images[3]" or "texts[3]".
        field: what they are.
        batch_size: how many at once.
        what: what is done with them, for the progress bar.

    Raises:
        UserError: naming the one at fault; or the batch size is none.
    """
    examples: list[Example] = [{field: value} for value in values]
    starts = starts_of(len(examples), batch_size, what)
    schema = Schema(field, {field: Column(field, field)})

    def names(index: int, field: str) -> str:
        return f"{field}s[{index}]"

    check_examples(examples, {field: field}, names)
    batches = ExampleBatches(schema, {field: field}, {}, model.transform, model.text, model.settings.eval_seed)
    for start in starts:
        yield model.step(batches.make(examples[start : start + batch_size], names, start))


def starts_of(number: int, batch_size: int, what: str) -> Iterable[int]:
    """Where batches begin; with a progress bar where it takes long.

    Args:
        number: of all examples.
        batch_size: how many at once.
        what: what is done with them, for the bar.

    Raises:
        UserError: the batch size is none.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise UserError(f"batch_size={batch_size!r}: must be a whole number, at least 1")
    starts = range(0, number, batch_size)
    if len(starts) < 2:
        return starts
    return tqdm(starts, desc=what, unit="batch", disable=None, leave=False, delay=PATIENCE_SECONDS)
