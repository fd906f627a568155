"""What waits to be computed: examples, each a `Job` of a `Kind`, in lanes, with a `Ticket` of the request they came in.

In: the examples of requests. Out: batches. A batch holds jobs of one kind, such as examples of a model that are asked
the same tasks: the oldest one and those of about its length, so that little is padded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from renaissance.inference.model import Model

WINDOW = 4  # batches that the examples of a length are looked for in


@dataclass(frozen=True)
class Kind:
    """What is computed of examples, many at once.

    Attributes:
        key: tells kinds apart.
        model: the model that computes.
        work: gives an answer for each of some examples.
    """

    key: tuple[str, ...]
    model: Model = field(compare=False, repr=False)
    work: Callable[[list[dict[str, Any]]], Sequence[Any]] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Job:
    """An example, and what is computed of it.

    Attributes:
        kind: what is computed.
        values: its fields.
    """

    kind: Kind
    values: dict[str, Any]


@dataclass(eq=False)
class Ticket:
    """A request that waits for its answers.

    Attributes:
        answers: by the places of its examples, as they come.
        missing: how many have not come.
        done: says that all have, or why not.
    """

    answers: list[Any]
    missing: int
    done: asyncio.Future[None]

    def put(self, index: int, answer: Any) -> None:
        """Take in the answer of an example."""
        self.answers[index] = answer
        self.missing -= 1
        if self.missing == 0 and not self.done.done():
            self.done.set_result(None)

    def refuse(self, error: Exception) -> None:
        """Give the whole request up."""
        if not self.done.done():
            self.done.set_exception(error)


@dataclass(eq=False)
class Item:
    """An example that waits.

    Attributes:
        ticket: its request.
        index: its place there.
        values: its fields.
        length: of its texts, in characters.
        weight: the images or texts that the model gets of it.
    """

    ticket: Ticket
    index: int
    values: dict[str, Any]
    length: int = field(init=False)
    weight: int = field(init=False)

    def __post_init__(self) -> None:
        self.length = sum(len(value) for value in self.values.values() if isinstance(value, str))
        self.weight = 1 + sum(len(value) for value in self.values.values() if isinstance(value, list))


@dataclass(eq=False)
class Lane:
    """The examples that wait for work of one kind, the oldest first."""

    kind: Kind
    items: list[Item] = field(default_factory=list)

    def drop(self, ticket: Ticket) -> int:
        """Take a request's examples out; gives how many they were."""
        kept = [item for item in self.items if item.ticket is not ticket]
        dropped = len(self.items) - len(kept)
        self.items = kept
        return dropped

    def take(self, most: int) -> list[Item]:
        """Take out a batch: the oldest example and those of about its length.

        Args:
            most: images and texts that a batch holds.
        """
        window = self.items[: WINDOW * most]
        if not window:
            return []
        oldest = window[0]
        taken: list[Item] = []
        weight = 0
        for item in sorted(window, key=lambda item: (item is not oldest, abs(item.length - oldest.length))):
            weight += item.weight
            if taken and weight > most:
                break
            taken.append(item)
        chosen = set(map(id, taken))
        self.items = [item for item in self.items if id(item) not in chosen]
        return taken
