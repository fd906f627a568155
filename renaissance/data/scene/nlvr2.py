"""`nlvr2` on drawn scenes: is a statement true of two pictures?

Two statements a pair, about two of: a colour, a shape, the numbers of things. Each is true as often as false. One
picture alone tells nothing where "exactly one" or "the same number" is asked; it tells something of "both" (a picture
without the thing refutes it: three of four are right) and of "more" (only the fewest and the most: five of eight).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import pyarrow as pa

from renaissance.data.scene.captions import with_article
from renaissance.data.scene.content import COLOURS, SHAPES, Placed, Thing
from renaissance.data.scene.drawing import draw_placed
from renaissance.data.scene.family import (
    Apart,
    DrawnRow,
    Family,
    answers_in_equal_shares,
    draw_splits,
    in_equal_shares,
    random_of,
)
from renaissance.data.scene.placing import describe, place_freely, random_thing, scene_key

SPLITS = ("train", "val", "test1")
_ANSWERS = ("False", "True")
_MOST = 5  # things a picture
_EVERY_COUNT = tuple((n, n) for n in range(1, _MOST + 1))
_SCHEMA = pa.schema(
    [
        ("image_0", pa.binary()),
        ("image_1", pa.binary()),
        ("questions", pa.list_(pa.string())),
        ("answers", pa.list_(pa.string())),
        ("identifier", pa.string()),
        ("scene_0", pa.string()),
        ("scene_1", pa.string()),
    ]
)


@dataclass(frozen=True)
class Statement:
    """Something that is true or false of two pictures.

    Attributes:
        text: the statement.
        attribute: "colour" or "shape" that it asks for, or "count".
        name: the colour or the shape.
        pictures: what the left and the right picture hold, those where it is false and those where it is true: (1, 0)
            for a thing of that name in the left one only, or their numbers of things.
    """

    text: str
    attribute: str
    name: str
    pictures: tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]


def _about(attribute: str, name: str, words: str) -> list[Statement]:
    one_has = ((1, 0), (0, 1))
    return [
        Statement(f"exactly one picture shows {words}", attribute, name, (((0, 0), (1, 1)), one_has)),
        Statement(f"both pictures show {words}", attribute, name, (one_has, ((1, 1),))),
    ]


_MORE_LEFT = tuple((n + 1, n) for n in range(1, _MOST))
_MORE_RIGHT = tuple((n, n + 1) for n in range(1, _MOST))
_STATEMENTS = {
    "colour": [each for name in COLOURS for each in _about("colour", name, f"something {name}")],
    "shape": [each for name in SHAPES for each in _about("shape", name, with_article(name))],
    "count": [
        Statement("the left picture has more things than the right one", "count", "", (_MORE_RIGHT, _MORE_LEFT)),
        Statement("the right picture has more things than the left one", "count", "", (_MORE_LEFT, _MORE_RIGHT)),
        Statement(
            "both pictures have the same number of things",
            "count",
            "",
            (tuple(permutations(range(1, _MOST + 1), 2)), _EVERY_COUNT),
        ),
    ],
}


@dataclass(frozen=True)
class Told:
    """A statement, whether it is true (1) or false (0), and what the left and the right picture hold."""

    statement: Statement
    truth: int
    held: tuple[int, int]


_ASKED = (("colour", "shape"), ("shape", "count"), ("count", "colour"))


@dataclass(frozen=True)
class TwoPictures:
    """The things of the left and of the right picture, and statements with their answers."""

    pictures: tuple[tuple[Placed, ...], tuple[Placed, ...]]
    statements: tuple[tuple[str, str], ...]


def make_row(row: DrawnRow[TwoPictures]) -> dict[str, object]:
    """Draw the two pictures."""
    random = random_of("nlvr2 picture", row.number)
    left, right = row.content.pictures
    image_0, image_1 = draw_placed(left, random), draw_placed(right, random)
    return {
        "image_0": image_0.png,
        "image_1": image_1.png,
        "questions": [text for text, _ in row.content.statements],
        "answers": [answer for _, answer in row.content.statements],
        "identifier": f"{row.split}-{row.number}-0",
        "scene_0": json.dumps({"things": describe(left, image_0.boxes)}),
        "scene_1": json.dumps({"things": describe(right, image_1.boxes)}),
    }


def _draw_split(split: str, number: int, apart: Apart, random: np.random.Generator) -> list[TwoPictures]:
    asked = [_ASKED[place] for place in in_equal_shares(number, len(_ASKED), random)]
    statements = [
        _STATEMENTS[attribute][int(random.integers(len(_STATEMENTS[attribute])))]
        for attributes in asked
        for attribute in attributes
    ]
    texts = [statement.text for statement in statements]
    truths = answers_in_equal_shares(texts, dict.fromkeys(texts, len(_ANSWERS)), random)
    told = [Told(statement, truth, (0, 0)) for statement, truth in zip(statements, truths, strict=True)]
    # What the pictures hold in equal shares too, so that one picture tells no more than it has to.
    cases = [f"{each.statement.pictures} {each.truth}" for each in told]
    options = {case: each.statement.pictures[each.truth] for case, each in zip(cases, told, strict=True)}
    chosen = answers_in_equal_shares(cases, {case: len(several) for case, several in options.items()}, random)
    told = [replace(each, held=options[case][place]) for each, case, place in zip(told, cases, chosen, strict=True)]
    return [_two_pictures(split, told[place : place + 2], apart, random) for place in range(0, len(told), 2)]


def _two_pictures(split: str, told: Sequence[Told], apart: Apart, random: np.random.Generator) -> TwoPictures:
    """Two pictures that hold what the statements need, and which stand in no other split."""
    counts = (int(random.integers(1, _MOST + 1)), int(random.integers(1, _MOST + 1)))
    held: list[tuple[str, str, tuple[int, int]]] = []
    for each in told:
        if each.statement.attribute == "count":
            counts = each.held
        else:
            held.append((each.statement.attribute, each.statement.name, each.held))
    while True:
        left, right = (
            tuple(
                place_freely(
                    _things(counts[side], [(attribute, name, has[side]) for attribute, name, has in held], random),
                    random,
                )
            )
            for side in range(2)
        )
        if left and right and apart.claim(split, scene_key(left), scene_key(right)):
            break
    return TwoPictures((left, right), tuple((each.statement.text, _ANSWERS[each.truth]) for each in told))


def _things(number: int, held: Sequence[tuple[str, str, int]], random: np.random.Generator) -> list[Thing]:
    """Things among which there is one of a colour or a shape, or none, as (attribute, name, whether) say."""
    things: list[Thing] = []
    while len(things) < number:
        thing = random_thing(random)
        if all(getattr(thing, attribute) != name for attribute, name, _ in held):
            things.append(thing)
    for attribute, name, has in held:
        if has:
            place = int(random.integers(number))
            things[place] = replace(things[place], **{attribute: name})
    return things


def _draw(num_scenes: int) -> dict[str, list[DrawnRow[TwoPictures]]]:
    return draw_splits("nlvr2", SPLITS, num_scenes // 2, _draw_split)


FAMILY = Family("nlvr2", "scenes_nlvr2", SPLITS, _SCHEMA, _draw, make_row, "questions")
