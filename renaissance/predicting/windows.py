"""The input in windows: rows read ahead, their examples in batches of like length, and their answers in order again.

A window is what the journal closes at once. Within it texts are sorted by their length, so that a batch has little
padding; worker processes make the batches as in training. An example that cannot be made, such as a damaged image, is
told apart from those it came with and costs no other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch.utils.data import Dataset

from renaissance.data.batches.batch import Batch
from renaissance.errors import UserError
from renaissance.inference.asked import ExampleBatches
from renaissance.predicting.binding import Question
from renaissance.predicting.items import Item, ItemMaker, fault_of
from renaissance.predicting.sources.interface import Fault, Row, Source

BATCHES = 32  # of a window
BATCH_CHARACTERS = 4 << 20  # of the texts of a batch that has more than one example
WINDOW_BYTES = 64 << 20  # of images and texts that a window holds, beyond which it takes no further row


@dataclass
class Window:
    """Some rows of the input.

    Attributes:
        items: their examples, in order.
        next_row: the number of the row behind the last.
        position: how much of the input was read then (see `Source`).
        waiting: batches that are still to be answered.
        answers: by item and task.
        values: by item and task, what the example adds to each metric.
    """

    items: list[Item]
    next_row: int
    position: int
    waiting: int = 0
    answers: list[dict[str, Any]] = field(default_factory=list)
    values: list[dict[str, dict[str, float]]] = field(default_factory=list)


@dataclass(frozen=True)
class Work:
    """Examples of a batch, on their way to a worker process.

    Attributes:
        question: the number of the question that they are asked.
        places: of their items in the window.
        examples: B of them, with the fields of the question and the answers that are known.
    """

    question: int
    places: Sequence[int]
    examples: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Made:
    """What a worker process made of them.

    Attributes:
        batch: of those that could be made; None where none could.
        places: of these in the window.
        faults: of the others, by their places.
    """

    batch: Batch | None
    places: Sequence[int]
    faults: Mapping[int, Fault]

    def pin_memory(self) -> Made:
        """The batch in page-locked memory (PyTorch's loader calls this)."""
        return Made(self.batch and self.batch.pin_memory(), self.places, self.faults)


class WorkMaker(Dataset[Made]):
    """Makes batches of works. A data set whose keys are works.

    Args:
        batches: what makes them, by question.
        columns: by question, the column of each field.
    """

    def __init__(self, batches: Sequence[ExampleBatches], columns: Sequence[Mapping[str, str]]) -> None:
        self._batches = list(batches)
        self._columns = [dict(of_question) for of_question in columns]

    def __getitem__(self, work: Work) -> Made:
        try:
            return Made(self._make(work, range(len(work.examples))), work.places, {})
        except UserError:  # one of them, or more
            pass
        good, faults = [], {}
        for number, place in enumerate(work.places):
            try:
                self._make(work, [number])
                good.append(number)
            except UserError as error:
                faults[place] = fault_of(str(error), self._columns[work.question].values())
        batch = self._make(work, good) if good else None
        return Made(batch, [work.places[number] for number in good], faults)

    def _make(self, work: Work, numbers: Sequence[int]) -> Batch:
        columns = self._columns[work.question]
        chosen = [work.examples[number] for number in numbers]
        return self._batches[work.question].make(chosen, lambda _, name: columns.get(name, name))


class Works:
    """The works of an input, which are read as they are asked for (the order of a `BatchLoader`).

    Args:
        source: the input.
        columns: which are read.
        start: the number of the first row.
        maker: makes items of rows.
        questions: that are asked.
        batch_size: examples of a batch.

    Attributes:
        under_way: the works that were handed out and not answered, with their windows, in order.
        windows: those that were read and not closed, in order.
    """

    def __init__(
        self,
        source: Source,
        columns: Sequence[str],
        start: int,
        maker: ItemMaker,
        questions: Sequence[Question],
        batch_size: int,
    ) -> None:
        self._source = source
        self._rows: Iterator[Row] = source.iterate(columns, start)
        self._start = start
        self._maker = maker
        self._questions = questions
        self._batch_size = batch_size
        self.under_way: deque[tuple[Window, Work]] = deque()
        self.windows: deque[Window] = deque()

    def __len__(self) -> int:
        raise TypeError("how many there are is known when all are read")

    def __iter__(self) -> Iterator[Work]:
        for window in self._read():
            works = [work for number in range(len(self._questions)) for work in self._works(window, number)]
            window.waiting = len(works)
            self.windows.append(window)
            self.under_way.extend((window, work) for work in works)
            yield from works

    def _read(self) -> Iterator[Window]:
        """The input, window by window."""
        items: list[Item] = []
        size, next_row = 0, self._start
        for row in self._rows:
            of_row = self._maker.items(row)
            items += of_row
            size += sum(_size(item) for item in of_row)
            next_row = row.number + 1
            if len(items) >= BATCHES * self._batch_size or size >= WINDOW_BYTES:
                yield self._window(items, next_row)
                items, size = [], 0
        if items:
            yield self._window(items, next_row)

    def _window(self, items: list[Item], next_row: int) -> Window:
        answers: list[dict[str, Any]] = [{} for _ in items]
        return Window(items, next_row, self._source.position, answers=answers, values=[{} for _ in items])

    def _works(self, window: Window, number: int) -> Iterator[Work]:
        """A question's batches of a window, the longest texts first: what is too much for memory is so at once."""
        good = [place for place, item in enumerate(window.items) if item.fault is None]
        if "text" in self._questions[number].fields:
            good.sort(key=lambda place: -_length(window.items[place].fields[number]))
        for places in self._batches(window, number, good):
            examples = [{**window.items[place].fields[number], **window.items[place].answers[number]}
                        for place in places]  # fmt: skip
            yield Work(number, places, examples)

    def _batches(self, window: Window, number: int, places: Sequence[int]) -> Iterator[list[int]]:
        """Places in batches, smaller ones where texts are very long: a tokenizer takes hundreds of times as much."""
        batch: list[int] = []
        characters = 0
        for place in places:
            own = _length(window.items[place].fields[number])
            if batch and (len(batch) == self._batch_size or characters + own > BATCH_CHARACTERS):
                yield batch
                batch, characters = [], 0
            batch.append(place)
            characters += own
        if batch:
            yield batch


def _length(fields: Mapping[str, Any]) -> int:
    """The characters of an example's texts."""
    return sum(len(value) for value in fields.values() if isinstance(value, str))


def _size(item: Item) -> int:
    """The bytes, roughly, that an item holds."""
    values: Iterable[Any] = (value for fields in item.fields for value in fields.values())
    return 1000 + sum(len(value) for value in values if isinstance(value, str | bytes))
