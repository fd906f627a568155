"""`scenes`, the built-in sample set: coloured shapes, drawn by us, and sentences about them.

Tables `scenes_{train,val,test}` in COCO's columns with the scene itself in a further column (JSON: things and their
boxes), for `cifar10` ten classes of single things, and for `imdb` a two-class question that the text alone decides.
The tables of the other schemas, whose texts alone do not tell the answer, are each described in a file of `data/scene`.
All is drawn from one seed, so the set is the same on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import pyarrow as pa

from renaissance.data.preparing.writing import TablePlan, write_tables
from renaissance.data.scene import mrpc, nlvr2, ref, snli, vqa
from renaissance.data.scene.captions import captions
from renaissance.data.scene.content import MOST_SCENES, Group, Scene, Thing, draw_scenes
from renaissance.data.scene.drawing import draw, draw_anywhere
from renaissance.data.scene.family import SPLITS, DrawnRow, Family, random_of
from renaissance.data.sets.interface import DataSet, PrepareOptions, TableNames, TableReport
from renaissance.data.tables.table import with_label_names
from renaissance.errors import UserError

CAPTIONS_A_PICTURE = 2
FEWEST = 24
_TRAIN_SHARE, _VAL_SHARE = 5 / 6, 1 / 12
_CLASSES = tuple(
    (colour, shape) for colour in ("red", "green", "blue", "yellow", "purple") for shape in ("circle", "square")
)
_QUESTION = ("no circle", "circle")  # does the text speak of a circle?

_CAPTION_SCHEMA = pa.schema(
    [
        ("image", pa.binary()),
        ("caption", pa.list_(pa.string())),
        ("image_id", pa.string()),
        ("split", pa.string()),
        ("scene", pa.string()),
    ]
)
_CLASS_SCHEMA = with_label_names(
    pa.schema([("image", pa.binary()), ("label", pa.int64()), ("image_id", pa.string())]),
    [f"{colour} {shape}" for colour, shape in _CLASSES],
)
_TEXT_SCHEMA = with_label_names(
    pa.schema([("text", pa.string()), ("label", pa.int64()), ("text_id", pa.string())]), _QUESTION
)


class Scenes(DataSet):
    """Tables `scenes_{split}`, and `scenes_<schema>_{split}` for every schema but captions."""

    name = "scenes"
    schemas = ("caption", "cifar10", "imdb", "snli", "mrpc", "nlvr2", "ref", "vqa")
    draws_itself = True

    def splits(self, schema: str, data_root: Path) -> tuple[str, ...]:
        return _FAMILIES[schema].splits

    def tables(self, schema: str, split: str) -> TableNames:
        family = _FAMILIES[schema]
        return TableNames(required=(f"{family.table}_{split}",) if split in family.splits else ())

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        number = options.num_scenes
        if number < FEWEST:
            raise UserError(f"num_scenes={number} is too few for three splits of every table: at least {FEWEST}.")
        if number > MOST_SCENES:
            raise UserError(f"num_scenes={number:,} is too many: there are {MOST_SCENES:,} different scenes.")
        plans = [
            TablePlan(f"{family.table}_{split}", family.schema, rows, len(rows), family.make_row, family.text_column)
            for family in _FAMILIES.values()
            if options.schemas is None or family.name in options.schemas
            for split, rows in family.draw(number).items()
        ]
        return write_tables(plans, options, {"num_scenes": number})


def make_caption_row(row: DrawnRow[Scene]) -> dict[str, object]:
    """Draw a picture and say what is in it."""
    random = random_of("picture", row.number)
    picture = draw(row.content, random)
    return {
        "image": picture.png,
        "caption": captions(row.content, CAPTIONS_A_PICTURE, random),
        "image_id": f"scene-{row.number:06d}.png",
        "split": row.split,
        "scene": json.dumps(row.content.as_dict(picture.boxes)),
    }


def make_class_row(row: DrawnRow[Scene]) -> dict[str, object]:
    """Draw a single thing anywhere in the picture."""
    thing = row.content.things[0]
    picture = draw_anywhere(thing, random_of("single", row.number))
    label = _CLASSES.index((thing.colour, thing.shape))
    return {"image": picture.png, "label": label, "image_id": f"thing-{row.number:06d}.png"}


def make_text_row(row: DrawnRow[Scene]) -> dict[str, object]:
    """Say what is in a scene; the label tells whether a circle is."""
    text = captions(row.content, 1, random_of("text", row.number))[0]
    label = int(any(thing.shape == "circle" for thing in row.content.things))
    return {"text": text, "label": label, "text_id": f"text-{row.number:06d}"}


def _draw_captioned(num_scenes: int) -> dict[str, list[DrawnRow[Scene]]]:
    return _split(draw_scenes(num_scenes, random_of("scenes", num_scenes)))


def _draw_single_things(num_scenes: int) -> dict[str, list[DrawnRow[Scene]]]:
    return _split(_single_things(num_scenes // 2))


def _draw_asked_about(num_scenes: int) -> dict[str, list[DrawnRow[Scene]]]:
    return _split(_scenes_to_ask_about(num_scenes // 2))


def _split(scenes: Sequence[Scene]) -> dict[str, list[DrawnRow[Scene]]]:
    """Numbered rows, the first for training. No scene is in two splits, since all are different."""
    train, val = round(len(scenes) * _TRAIN_SHARE), round(len(scenes) * _VAL_SHARE)
    ends = accumulate((0, train, val, len(scenes) - train - val))
    return {
        split: [DrawnRow(number, split, scenes[number]) for number in range(start, end)]
        for split, (start, end) in zip(SPLITS, pairwise(ends), strict=True)
    }


def _single_things(number: int) -> list[Scene]:
    """Single things of the ten classes, equally many of each; their place is drawn with the picture."""
    random = random_of("classes", number)
    labels = random.permutation(number) % len(_CLASSES)
    sizes = random.choice(("small", "large"), size=number)
    things = [Thing(str(size), *_CLASSES[label]) for size, label in zip(sizes, labels, strict=True)]
    return [Scene((Group(1, thing),), "middle") for thing in things]


def _scenes_to_ask_about(number: int) -> list[Scene]:
    """Scenes, half of them with a circle among the things."""
    random = random_of("question", number)
    found: tuple[list[Scene], list[Scene]] = ([], [])
    for scene in draw_scenes(3 * number // 2, random):
        found[any(thing.shape == "circle" for thing in scene.things)].append(scene)
    half = number // 2
    scenes = found[0][:half] + found[1][: number - half]
    return [scenes[place] for place in random.permutation(len(scenes))]


_FAMILIES = {
    family.name: family
    for family in (
        Family("caption", "scenes", SPLITS, _CAPTION_SCHEMA, _draw_captioned, make_caption_row, "caption"),
        Family("cifar10", "scenes_cifar10", SPLITS, _CLASS_SCHEMA, _draw_single_things, make_class_row, None),
        Family("imdb", "scenes_imdb", SPLITS, _TEXT_SCHEMA, _draw_asked_about, make_text_row, "text"),
        snli.FAMILY,
        mrpc.FAMILY,
        nlvr2.FAMILY,
        ref.FAMILY,
        vqa.FAMILY,
    )
}
