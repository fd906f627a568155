"""`snli` on drawn scenes: does the picture prove a sentence, refute it, or leave it open?

Four corners, and a grey cover over one half of the picture. The two corners that are seen hold a thing each; a
sentence such as "there is a red circle in the top left corner" is true of one of them (entailment), another one false
of the other (contradiction), and a third speaks of a covered corner (neutral). So each picture has one sentence of
each class, and each sentence occurs as often with each class: neither tells anything without the other. Nothing is
drawn behind the cover.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from renaissance.data.scene.captions import with_article
from renaissance.data.scene.content import COLOURS, SHAPES, SIZES, Placed, Thing
from renaissance.data.scene.drawing import SIDE, Box, draw_placed
from renaissance.data.scene.family import SPLITS, Apart, DrawnRow, Family, draw_splits, in_equal_shares, random_of
from renaissance.data.scene.placing import describe
from renaissance.data.tables.table import with_label_names

LABEL_NAMES = ("contradiction", "neutral", "entailment")
_WORDINGS = (
    "there is {thing} in the {corner} corner",
    "{thing} is in the {corner} corner",
    "in the {corner} corner there is {thing}",
)
_MEANINGS = len(COLOURS) * len(SHAPES) * len(_WORDINGS)  # of a corner
_CORNERS = ((0, 0), (1, 0), (0, 1), (1, 1))  # across, down
_PLACE_SPREAD = 0.04  # of the side, around the middle of a quarter
_SCHEMA = with_label_names(
    pa.schema(
        [
            ("image", pa.binary()),
            ("sentences", pa.list_(pa.string())),
            ("labels", pa.list_(pa.int64())),
            ("sentence_id", pa.list_(pa.string())),
            ("image_id", pa.string()),
            ("scene", pa.string()),
        ]
    ),
    LABEL_NAMES,
)
Corner = tuple[int, int]


@dataclass(frozen=True)
class CoveredScene:
    """What can be seen beside a cover, and a sentence of each class in random order."""

    things: tuple[Placed, ...]
    cover: Box
    sentences: tuple[tuple[str, int], ...]


def make_row(row: DrawnRow[CoveredScene]) -> dict[str, object]:
    """Draw the things and the cover over them."""
    scene = row.content
    picture = draw_placed(scene.things, random_of("snli picture", row.number), scene.cover)
    cover = [round(SIDE * share) for share in scene.cover]
    return {
        "image": picture.png,
        "sentences": [sentence for sentence, _ in scene.sentences],
        "labels": [label for _, label in scene.sentences],
        "sentence_id": [f"snli-{row.number:06d}-{place}" for place in range(len(scene.sentences))],
        "image_id": f"snli-{row.number:06d}.png",
        "scene": json.dumps({"things": describe(scene.things, picture.boxes), "cover": cover}),
    }


def _draw_split(split: str, number: int, apart: Apart, random: np.random.Generator) -> list[CoveredScene]:
    """Four pictures at a time: each corner is once that of the true sentence, the false one and the open one."""
    fours = -(-number // len(_CORNERS))
    meanings = {corner: _meanings(fours, random) for corner in _CORNERS}
    scenes: list[CoveredScene] = []
    for four in range(fours):
        axis, diagonal = (int(value) for value in random.integers(2, size=2))
        for corner in _CORNERS:
            # The cover hides one half along `axis`; the false sentence's corner is the other one that is seen.
            false_corner = _mirrored(corner, 1 - axis)
            open_corner = _mirrored(false_corner if diagonal else corner, axis)
            told = [
                (false_corner, meanings[false_corner][0][four]),
                (open_corner, meanings[open_corner][1][four]),
                (corner, meanings[corner][2][four]),
            ]
            scenes.append(_scene(split, told, axis, apart, random))
    return [scenes[place] for place in random.permutation(len(scenes))[:number]]


def _meanings(number: int, random: np.random.Generator) -> list[list[int]]:
    """What the sentences about a corner say: the same ones for each class, in an order of its own."""
    same = np.array(in_equal_shares(number, _MEANINGS, random))
    return [[int(meaning) for meaning in random.permutation(same)] for _ in LABEL_NAMES]


def _scene(
    split: str, told: list[tuple[Corner, int]], axis: int, apart: Apart, random: np.random.Generator
) -> CoveredScene:
    """The picture for a false, an open and a true sentence, given by their corners and meanings."""
    (false_corner, refuted), (open_corner, _), (true_corner, proven) = told
    near, far = 0.5 * open_corner[axis], 1.0
    cover = (near, 0.0, 0.5, far) if axis == 0 else (0.0, near, far, 0.5)
    while True:
        things = (
            _placed(_thing(proven, random), true_corner, random),
            _placed(_other_thing(_thing(refuted, random), random), false_corner, random),
        )
        if apart.claim(split, (cover, frozenset((each.thing, each.x < 0.5, each.y < 0.5) for each in things))):
            break
    sentences = [(_sentence(corner, meaning), label) for label, (corner, meaning) in enumerate(told)]
    return CoveredScene(things, cover, tuple(sentences[place] for place in random.permutation(len(sentences))))


def _thing(meaning: int, random: np.random.Generator) -> Thing:
    """The thing that a sentence speaks of; of its size nothing is said."""
    shape, colour = divmod(meaning // len(_WORDINGS), len(COLOURS))
    return Thing(SIZES[random.integers(len(SIZES))], COLOURS[colour], SHAPES[shape])


def _other_thing(thing: Thing, random: np.random.Generator) -> Thing:
    """A thing of another colour or of another shape."""
    if random.integers(2):
        return Thing(thing.size, _other(COLOURS, thing.colour, random), thing.shape)
    return Thing(thing.size, thing.colour, _other(SHAPES, thing.shape, random))


def _other(names: tuple[str, ...], name: str, random: np.random.Generator) -> str:
    return names[(names.index(name) + random.integers(1, len(names))) % len(names)]


def _placed(thing: Thing, corner: Corner, random: np.random.Generator) -> Placed:
    x, y = (0.25 + 0.5 * side + random.uniform(-_PLACE_SPREAD, _PLACE_SPREAD) for side in corner)
    return Placed(thing, float(x), float(y))


def _sentence(corner: Corner, meaning: int) -> str:
    shape, colour = divmod(meaning // len(_WORDINGS), len(COLOURS))
    name = f"{('top', 'bottom')[corner[1]]} {('left', 'right')[corner[0]]}"
    thing = with_article(f"{COLOURS[colour]} {SHAPES[shape]}")
    return _WORDINGS[meaning % len(_WORDINGS)].format(thing=thing, corner=name)


def _mirrored(corner: Corner, axis: int) -> Corner:
    across, down = corner
    return (1 - across, down) if axis == 0 else (across, 1 - down)


def _draw(num_scenes: int) -> dict[str, list[DrawnRow[CoveredScene]]]:
    return draw_splits("snli", SPLITS, num_scenes // 2, _draw_split)


FAMILY = Family("snli", "scenes_snli", SPLITS, _SCHEMA, _draw, make_row, "sentences")
