"""Things at free places of a picture, none over another."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from renaissance.data.scene.content import COLOURS, SHAPES, SIZES, Placed, Thing
from renaissance.data.scene.drawing import reach_of

_TRIES = 40  # places for a thing before all things are placed anew, and as often
_CELLS = 4  # of the grid that tells one scene from another, across and down
_GAP = 0.02  # of the side, between two things and to the edge


def random_thing(random: np.random.Generator) -> Thing:
    """Any thing, each as probable as every other."""
    size, colour, shape = random.integers((len(SIZES), len(COLOURS), len(SHAPES)))
    return Thing(SIZES[size], COLOURS[colour], SHAPES[shape])


def scene_key(things: Sequence[Placed]) -> Hashable:
    """The same for two pictures that show the same things in the same cells of a grid of 4 x 4."""
    return tuple(
        sorted(
            (str(each.thing), each.second_colour or "", int(each.x * _CELLS), int(each.y * _CELLS)) for each in things
        )
    )


def place_freely(things: Sequence[Thing], random: np.random.Generator) -> list[Placed]:
    """Give each thing a place where it is inside of the picture and touches no other; empty where they do not fit.

    Up to five things fit well, but not when all of them are large.
    """
    for _ in range(_TRIES):
        boxes: list[tuple[float, float, float, float]] = []
        placed: list[Placed] = []
        for thing in things:
            left, up, right, down = (reach + _GAP / 2 for reach in reach_of(thing))
            for x, y in random.uniform((left, up), (1 - right, 1 - down), size=(_TRIES, 2)).tolist():
                box = (x - left, y - up, x + right, y + down)
                if not any(_overlap(box, other) for other in boxes):
                    boxes.append(box)
                    placed.append(Placed(thing, x, y))
                    break
            else:
                break
        if len(placed) == len(things):
            return placed
    return []


def describe(things: Sequence[Placed], boxes: Sequence[list[int]]) -> list[dict[str, Any]]:
    """The things and their boxes in plain values, for a table's column `scene`."""
    content = []
    for placed, box in zip(things, boxes, strict=True):
        mixture = {} if placed.second_colour is None else {"second_colour": placed.second_colour, "share": placed.share}
        content.append({**asdict(placed.thing), **mixture, "box": box})
    return content


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
