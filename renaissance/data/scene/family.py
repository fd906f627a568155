"""What the families of drawn tables have in common: columns, splits that share no scene, answers in equal shares.

A family is the examples of one schema, such as `vqa`: a file beside this one says what is asked and how it is balanced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa

from renaissance.data.streams import stream

SEED = 20240
SPLITS = ("train", "val", "test")
_HELD_OUT = 1 / 6  # of all examples, shared by the splits other than training

Content = TypeVar("Content")


@dataclass(frozen=True)
class DrawnRow(Generic[Content]):
    """A row to be drawn; `number` counts through all splits of its family."""

    number: int
    split: str
    content: Content

    @property
    def source(self) -> str:
        return f"scene {self.number}"


@dataclass(frozen=True)
class Family:
    """The drawn tables of one schema.

    Attributes:
        name: the schema's name.
        table: the first part of the tables' names; `_<split>` follows.
        splits: their splits, the training split first.
        schema: their columns.
        draw: gives the rows of every split for a value of `num_scenes`.
        make_row: turns a row into a value a column.
        text_column: the column whose texts are counted; None where there is none.
    """

    name: str
    table: str
    splits: tuple[str, ...]
    schema: pa.Schema
    draw: Callable[[int], Mapping[str, Sequence[DrawnRow[Any]]]]
    make_row: Callable[[Any], dict[str, object]]
    text_column: str | None


class Apart:
    """Keeps the scenes of the splits apart: a scene belongs to the split that asks for it first."""

    def __init__(self) -> None:
        self._split_of: dict[Hashable, str] = {}

    def claim(self, split: str, *scenes: Hashable) -> bool:
        """Whether all of these scenes may stand in `split`: none of them stands in another."""
        return all(self._split_of.setdefault(scene, split) == split for scene in scenes)


def random_of(purpose: str, number: int) -> np.random.Generator:
    """The random numbers for one purpose, the same on every machine."""
    return stream(SEED, 0, number, purpose)


def draw_splits(
    name: str,
    splits: Sequence[str],
    number: int,
    draw_split: Callable[[str, int, Apart, np.random.Generator], list[Content]],
) -> dict[str, list[DrawnRow[Content]]]:
    """The rows of every split: five sixths for training, the rest in equal shares for the others.

    The held-out splits are drawn first, as they have to find scenes of their own; training may repeat a scene.

    Args:
        name: of the schema.
        splits: their names, the training split first.
        number: rows of all splits together.
        draw_split: draws what the rows of one split hold, from its name, its number of rows, the scenes that are
            taken, and random numbers.
    """
    held_out = max(1, round(number * _HELD_OUT / (len(splits) - 1)))
    sizes = dict.fromkeys(splits, held_out) | {splits[0]: number - held_out * (len(splits) - 1)}
    apart = Apart()
    drawn: dict[str, list[DrawnRow[Content]]] = {}
    start = number
    for split in reversed(splits):
        contents = draw_split(split, sizes[split], apart, random_of(f"{name} {split}", number))
        start -= len(contents)
        drawn[split] = [DrawnRow(start + place, split, content) for place, content in enumerate(contents)]
    return {split: drawn[split] for split in splits}


def in_equal_shares(number: int, choices: int, random: np.random.Generator) -> list[int]:
    """`number` integers below `choices` in random order, each as often as every other, give or take one."""
    values = np.arange(number) % choices
    return [int(value) for value in random.permutation(choices)[values][random.permutation(number)]]


def answers_in_equal_shares(
    questions: Sequence[str], choices: Mapping[str, int], random: np.random.Generator
) -> list[int]:
    """An answer's number for each question such that no question prefers one: a question alone tells nothing.

    Args:
        questions: the questions asked, most of them many times.
        choices: how many answers each question has.
        random: random numbers.
    """
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, question in enumerate(questions):
        places[question].append(place)
    answers = [0] * len(questions)
    for question, asked in places.items():
        for place, answer in zip(asked, in_equal_shares(len(asked), choices[question], random), strict=True):
            answers[place] = answer
    return answers
