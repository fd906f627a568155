"""`scenes`, the built-in sample set: coloured shapes, drawn by us, and sentences about them.

Tables `scenes_{train,val,test}` in COCO's columns with the scene itself in a further column (JSON: things and their
boxes), for `cifar10` ten classes of single things, and for `imdb` a two-class question that the text alone decides.
All is drawn from SEED, so the set is the same on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import pyarrow as pa

from renaissance.data.preparing.writing import TablePlan, write_tables
from renaissance.data.scene.captions import captions
from renaissance.data.scene.content import Group, Scene, Thing, draw_scenes
from renaissance.data.scene.drawing import draw, draw_anywhere
from renaissance.data.sets.interface import DataSet, PrepareOptions, TableNames, TableReport
from renaissance.data.streams import stream
from renaissance.data.tables.table import with_label_names
from renaissance.errors import UserError

SEED = 20240
CAPTIONS_A_PICTURE = 2
FEWEST = 24
SPLITS: tuple[str, ...] = ("train", "val", "test")
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


@dataclass(frozen=True)
class SceneRow:
    """A picture to be drawn."""

    number: int
    split: str
    scene: Scene

    @property
    def source(self) -> str:
        return f"scene {self.number}"


class Scenes(DataSet):
    """Tables `scenes_{split}`, `scenes_cifar10_{split}` and `scenes_imdb_{split}`."""

    name = "scenes"
    schemas = ("caption", "cifar10", "imdb")
    draws_itself = True

    def tables(self, schema: str, split: str) -> TableNames:
        return TableNames(required=(f"scenes_{split}" if schema == "caption" else f"scenes_{schema}_{split}",))

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        number = options.num_scenes
        if number < FEWEST:
            raise UserError(f"num_scenes={number} is too few for three splits of every table: at least {FEWEST}.")
        plans: list[TablePlan] = []
        for split, scenes in _split(draw_scenes(number, _random("scenes", number))).items():
            plans.append(_caption_plan(split, scenes))
        for split, scenes in _split(_single_things(number // 2)).items():
            plans.append(_class_plan(split, scenes))
        for split, scenes in _split(_scenes_to_ask_about(number // 2)).items():
            plans.append(_text_plan(split, scenes))
        return write_tables(plans, options, {"num_scenes": number})


def make_caption_row(row: SceneRow) -> dict[str, object]:
    """Draw a picture and say what is in it."""
    random = _random("picture", row.number)
    picture = draw(row.scene, random)
    content = row.scene.as_dict()
    for thing, box in zip(content["things"], picture.boxes, strict=True):
        thing["box"] = box
    return {
        "image": picture.png,
        "caption": captions(row.scene, CAPTIONS_A_PICTURE, random),
        "image_id": f"scene-{row.number:06d}.png",
        "split": row.split,
        "scene": json.dumps(content),
    }


def make_class_row(row: SceneRow) -> dict[str, object]:
    """Draw a single thing anywhere in the picture."""
    thing = row.scene.things[0]
    picture = draw_anywhere(thing, _random("single", row.number))
    label = _CLASSES.index((thing.colour, thing.shape))
    return {"image": picture.png, "label": label, "image_id": f"thing-{row.number:06d}.png"}


def make_text_row(row: SceneRow) -> dict[str, object]:
    """Say what is in a scene; the label tells whether a circle is."""
    text = captions(row.scene, 1, _random("text", row.number))[0]
    label = int(any(thing.shape == "circle" for thing in row.scene.things))
    return {"text": text, "label": label, "text_id": f"text-{row.number:06d}"}


def _caption_plan(split: str, rows: Sequence[SceneRow]) -> TablePlan:
    return TablePlan(f"scenes_{split}", _CAPTION_SCHEMA, rows, len(rows), make_caption_row, "caption")


def _class_plan(split: str, rows: Sequence[SceneRow]) -> TablePlan:
    return TablePlan(f"scenes_cifar10_{split}", _CLASS_SCHEMA, rows, len(rows), make_class_row)


def _text_plan(split: str, rows: Sequence[SceneRow]) -> TablePlan:
    return TablePlan(f"scenes_imdb_{split}", _TEXT_SCHEMA, rows, len(rows), make_text_row, "text")


def _split(scenes: Sequence[Scene]) -> dict[str, list[SceneRow]]:
    """Numbered rows, the first for training. No scene is in two splits, since all are different."""
    train, val = round(len(scenes) * _TRAIN_SHARE), round(len(scenes) * _VAL_SHARE)
    ends = accumulate((0, train, val, len(scenes) - train - val))
    return {
        split: [SceneRow(number, split, scenes[number]) for number in range(start, end)]
        for split, (start, end) in zip(SPLITS, pairwise(ends), strict=True)
    }


def _single_things(number: int) -> list[Scene]:
    """Single things of the ten classes, equally many of each; their place is drawn with the picture."""
    random = _random("classes", number)
    labels = random.permutation(number) % len(_CLASSES)
    sizes = random.choice(("small", "large"), size=number)
    things = [Thing(str(size), *_CLASSES[label]) for size, label in zip(sizes, labels, strict=True)]
    return [Scene((Group(1, thing),), "middle") for thing in things]


def _scenes_to_ask_about(number: int) -> list[Scene]:
    """Scenes, half of them with a circle among the things."""
    random = _random("question", number)
    found: tuple[list[Scene], list[Scene]] = ([], [])
    for scene in draw_scenes(3 * number // 2, random):
        found[any(thing.shape == "circle" for thing in scene.things)].append(scene)
    half = number // 2
    scenes = found[0][:half] + found[1][: number - half]
    return [scenes[place] for place in random.permutation(len(scenes))]


def _random(purpose: str, number: int) -> np.random.Generator:
    return stream(SEED, 0, number, purpose)
