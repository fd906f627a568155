"""`ref` on drawn scenes: which thing does a phrase mean?

Two to four things at free places, and phrases that fit exactly one of them: by attributes ("the large red circle",
split testA) or by place ("the square on the left", split testB); training and validation have both. The things are
drawn first and are alike in some of their attributes; then one of them is chosen, each as probable as every other. So
a phrase alone, or the picture alone, tells no more than the number of things.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pyarrow as pa

from renaissance.data.scene.content import COLOURS, SHAPES, SIZES, Placed, Thing
from renaissance.data.scene.drawing import draw_placed
from renaissance.data.scene.family import Apart, DrawnRow, Family, draw_splits, in_equal_shares, random_of
from renaissance.data.scene.placing import describe, place_freely, scene_key

SPLITS = ("train", "val", "testA", "testB")
_NUMBERS = (2, 3, 4)  # of things
_PHRASES = 2  # of a thing at most
_BY_ATTRIBUTES, _BY_PLACE = range(2)
_ASKED = {"testA": (_BY_ATTRIBUTES,), "testB": (_BY_PLACE,)}  # elsewhere both
_MIDDLE = 0.05  # of the side around its middle: a thing there is neither left nor right
_SIDES = {"on the left": (-1, 0), "on the right": (1, 0), "at the top": (0, -1), "at the bottom": (0, 1)}
_SCHEMA = pa.schema(
    [
        ("image", pa.binary()),
        ("sentences", pa.list_(pa.string())),
        ("bboxes", pa.list_(pa.list_(pa.int64()))),
        ("labels", pa.int64()),
        ("image_id", pa.string()),
        ("scene", pa.string()),
    ]
)


@dataclass(frozen=True)
class Reference:
    """Things, the place of the one that is meant, and the phrases that mean it."""

    things: tuple[Placed, ...]
    meant: int
    phrases: tuple[str, ...]


def make_row(row: DrawnRow[Reference]) -> dict[str, object]:
    """Draw the things."""
    content = row.content
    picture = draw_placed(content.things, random_of("ref picture", row.number))
    return {
        "image": picture.png,
        "sentences": list(content.phrases),
        "bboxes": picture.boxes,
        "labels": content.meant,
        "image_id": f"ref-{row.number:06d}.png",
        "scene": json.dumps({"things": describe(content.things, picture.boxes)}),
    }


def _draw_split(split: str, number: int, apart: Apart, random: np.random.Generator) -> list[Reference]:
    asked = _ASKED.get(split, (_BY_ATTRIBUTES, _BY_PLACE))
    combinations = list(product(asked, _NUMBERS))
    chosen = in_equal_shares(number, len(combinations), random)
    return [_reference(split, *combinations[place], apart, random) for place in chosen]


def _reference(split: str, asked: int, number: int, apart: Apart, random: np.random.Generator) -> Reference:
    """A picture that stands in no other split and in which every thing has a phrase, and one of its things."""
    phrases_of = (_phrases_by_attributes, _phrases_by_place)[asked]
    while True:
        things = place_freely(_similar_things(number, random), random)
        phrases = [phrases_of(place, things) for place in range(len(things))]
        if things and all(phrases) and apart.claim(split, scene_key(things)):
            break
    meant = int(random.integers(number))
    order = random.permutation(len(phrases[meant]))[:_PHRASES]
    return Reference(tuple(things), meant, tuple(phrases[meant][place] for place in order))


def _similar_things(number: int, random: np.random.Generator) -> list[Thing]:
    """Things of two sizes, two colours and two shapes."""
    names = [[names[place] for place in random.permutation(len(names))[:2]] for names in (SIZES, COLOURS, SHAPES)]
    return [Thing(*(pair[random.integers(2)] for pair in names)) for _ in range(number)]


def _descriptions(thing: Thing) -> list[tuple[str, list[str]]]:
    """What may be said of a thing (its words and the attributes that they tell)."""
    found = []
    for told in product((True, False), repeat=3):
        attributes = [name for name, tells in zip(("size", "colour", "shape"), told, strict=True) if tells]
        words = [getattr(thing, name) for name in attributes] + ([] if told[-1] else ["thing"])
        found.append((" ".join(words), attributes))
    return found


def _fitting(things: Sequence[Placed], meant: int, attributes: Sequence[str]) -> list[int]:
    """The places of the things that are like the one meant in these attributes."""
    told = [getattr(things[meant].thing, name) for name in attributes]
    return [place for place, each in enumerate(things) if [getattr(each.thing, name) for name in attributes] == told]


def _phrases_by_attributes(meant: int, things: Sequence[Placed]) -> list[str]:
    return [
        f"the {words}"
        for words, attributes in _descriptions(things[meant].thing)
        if _fitting(things, meant, attributes) == [meant]
    ]


def _phrases_by_place(meant: int, things: Sequence[Placed]) -> list[str]:
    """Phrases that need the place: several things fit the description, and one of them alone is on that side."""
    phrases = []
    for words, attributes in _descriptions(things[meant].thing):
        fitting = _fitting(things, meant, attributes)
        for side, (across, down) in _SIDES.items():
            # How far on this side a thing is, from the middle of the picture; negative on the other side.
            far = {place: across * (things[place].x - 0.5) + down * (things[place].y - 0.5) for place in fitting}
            others = [far[place] for place in fitting if place != meant]
            if others and far[meant] > _MIDDLE and max(others) < -_MIDDLE:
                phrases.append(f"the {words} {side}")
    return phrases


def _draw(num_scenes: int) -> dict[str, list[DrawnRow[Reference]]]:
    return draw_splits("ref", SPLITS, num_scenes // 2, _draw_split)


FAMILY = Family("ref", "scenes_ref", SPLITS, _SCHEMA, _draw, make_row, "sentences")
