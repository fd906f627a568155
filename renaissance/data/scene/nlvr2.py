"""`nlvr2` on drawn scenes: is a statement true of two pictures?

Each picture shows two groups of alike things as captions tell of them, and one of the groups is in both pictures. A
statement names a group that both show, the left one alone, the right one alone, or neither, and says which pictures
show it. What is asked of a pair has no influence on how it is drawn, and each form of statement is true as often as
false: neither the pictures nor the statement tell anything alone. One picture tells nothing of "one picture alone", nor
the left one of "the right picture", and three times of four whether "both pictures" is true.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from renaissance.data.scene.captions import group_name
from renaissance.data.scene.content import BESIDE, Group, Scene, Thing
from renaissance.data.scene.drawing import draw
from renaissance.data.scene.family import Apart, DrawnRow, Family, draw_splits, in_equal_shares, random_of
from renaissance.data.scene.placing import random_thing

SPLITS = ("train", "val", "test1")
_ANSWERS = ("False", "True")
_STATEMENTS = 2  # a pair of pictures
_BOTH, _LEFT, _RIGHT, _NEITHER = range(4)  # which of the pictures show a group
# Every form of statement with the cases in which it is false, and in which it is true.
_FORMS = (
    ("the left picture shows", (_RIGHT, _NEITHER), (_LEFT, _BOTH)),
    ("the right picture shows", (_LEFT, _NEITHER), (_RIGHT, _BOTH)),
    ("both pictures show", (_LEFT, _RIGHT), (_BOTH, _BOTH)),
    ("one picture alone shows", (_NEITHER, _BOTH), (_LEFT, _RIGHT)),
)
_CASES = tuple((words, answer, shown) for words, *cases in _FORMS for answer in (0, 1) for shown in cases[answer])
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
class TwoPictures:
    """The scenes of the left and of the right picture, and statements with their answers."""

    scenes: tuple[Scene, Scene]
    statements: tuple[tuple[str, str], ...]


def make_row(row: DrawnRow[TwoPictures]) -> dict[str, object]:
    """Draw the two pictures."""
    random = random_of("nlvr2 picture", row.number)
    columns: dict[str, object] = {}
    for side, scene in enumerate(row.content.scenes):
        picture = draw(scene, random)
        columns[f"image_{side}"] = picture.png
        columns[f"scene_{side}"] = json.dumps(scene.as_dict(picture.boxes))
    return columns | {
        "questions": [text for text, _ in row.content.statements],
        "answers": [answer for _, answer in row.content.statements],
        "identifier": f"{row.split}-{row.number}-0",
    }


def _draw_split(split: str, number: int, apart: Apart, random: np.random.Generator) -> list[TwoPictures]:
    cases = [_CASES[place] for place in in_equal_shares(_STATEMENTS * number, len(_CASES), random)]
    return [
        _two_pictures(split, cases[_STATEMENTS * row : _STATEMENTS * (row + 1)], apart, random) for row in range(number)
    ]


def _two_pictures(
    split: str, cases: Sequence[tuple[str, int, int]], apart: Apart, random: np.random.Generator
) -> TwoPictures:
    """Two pictures that stand in no other split, and a statement for each case (words, answer, which show it)."""
    while True:
        groups = _different_groups(random)
        left, right = (_scene((groups[_BOTH], groups[own]), random) for own in (_LEFT, _RIGHT))
        if apart.claim(split, left, right):
            break
    return TwoPictures(
        (left, right),
        tuple((f"{words} {group_name(groups[shown])}", _ANSWERS[answer]) for words, answer, shown in cases),
    )


def _different_groups(random: np.random.Generator) -> list[Group]:
    """A group for each of _BOTH, _LEFT, _RIGHT and _NEITHER, of things that all differ.

    Each is as often of two things as every other, and a picture has three things at most.
    """
    things: list[Thing] = []
    while len(things) <= _NEITHER:
        thing = random_thing(random)
        if thing not in things:
            things.append(thing)
    in_twos = ((_BOTH,), (_LEFT, _RIGHT), ())[random.integers(3)] + ((_NEITHER,), (), ())[random.integers(3)]
    return [Group(2 if place in in_twos else 1, thing) for place, thing in enumerate(things)]


def _scene(groups: Sequence[Group], random: np.random.Generator) -> Scene:
    """The groups in any order, beside or above each other."""
    first, second = (groups[place] for place in random.permutation(len(groups)))
    return Scene((first, second), BESIDE[random.integers(len(BESIDE))])


def _draw(num_scenes: int) -> dict[str, list[DrawnRow[TwoPictures]]]:
    return draw_splits("nlvr2", SPLITS, num_scenes // 2, _draw_split)


FAMILY = Family("nlvr2", "scenes_nlvr2", SPLITS, _SCHEMA, _draw, make_row, "questions")
