"""`mrpc` on drawn scenes: do two sentences tell of the same scene, or of two that differ?

Every word for a size, a colour or a shape has a twin ("small", "little"). The second sentence is worded otherwise
("left of", "right of"), and in it one word of the first or more are replaced: each by its twin (same), or some of
them by words that mean something else (different). So the sentences of both classes have as many words in common,
and each sentence alone is drawn in the same way for both: it takes both, and what the words mean, to tell. There are
no pictures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from renaissance.data.scene.captions import COUNT_WORDS, plural
from renaissance.data.scene.content import BESIDE, COLOURS, SHAPES, SIZES, Group, Scene
from renaissance.data.scene.family import SPLITS, Apart, DrawnRow, Family, draw_splits, in_equal_shares
from renaissance.data.scene.placing import random_thing
from renaissance.data.tables.table import with_label_names

LABEL_NAMES = ("different", "same")
_TWINS = {
    "small": "little", "large": "big",
    "red": "scarlet", "orange": "amber", "yellow": "golden", "green": "emerald",
    "blue": "azure", "purple": "violet", "pink": "rose", "black": "ebony",
    "circle": "disc", "square": "box", "triangle": "wedge", "cross": "plus",
}  # fmt: skip
_ATTRIBUTES = {"size": SIZES, "colour": COLOURS, "shape": SHAPES}
_SLOTS = tuple((group, attribute) for group in range(2) for attribute in _ATTRIBUTES)
_COUNTS = ((1, 1), (1, 2), (2, 1))
_WORDINGS = {
    "row": (
        "{first} left of {second}",
        "there {first_verb} {first} to the left of {second}",
        "{second} right of {first}",
        "there {second_verb} {second} to the right of {first}",
    ),
    "column": (
        "{first} above {second}",
        "there {first_verb} {first} over {second}",
        "{second} below {first}",
        "there {second_verb} {second} under {first}",
    ),
}
_SCHEMA = with_label_names(
    pa.schema(
        [
            ("text_a", pa.string()),
            ("text_b", pa.string()),
            ("label", pa.int64()),
            ("text_id", pa.string()),
            ("scene_a", pa.string()),
            ("scene_b", pa.string()),
        ]
    ),
    LABEL_NAMES,
)


@dataclass(frozen=True)
class Pair:
    """Two scenes, a sentence about each, and whether the scenes are the same."""

    scenes: tuple[Scene, Scene]
    texts: tuple[str, str]
    label: int


def make_row(row: DrawnRow[Pair]) -> dict[str, object]:
    """Two sentences and what they tell of."""
    (scene_a, scene_b), (text_a, text_b) = row.content.scenes, row.content.texts
    return {
        "text_a": text_a,
        "text_b": text_b,
        "label": row.content.label,
        "text_id": f"mrpc-{row.number:06d}",
        "scene_a": json.dumps(scene_a.as_dict()),
        "scene_b": json.dumps(scene_b.as_dict()),
    }


def _draw_split(split: str, number: int, apart: Apart, random: np.random.Generator) -> list[Pair]:
    return [_pair(split, label, apart, random) for label in in_equal_shares(number, len(LABEL_NAMES), random)]


def _pair(split: str, label: int, apart: Apart, random: np.random.Generator) -> Pair:
    """A pair of a class whose scenes stand in no other split."""
    while True:
        scene = _random_scene(random)
        replaced = random.permutation(len(_SLOTS))[: int(random.integers(1, len(_SLOTS) + 1))].tolist()
        changed = [] if LABEL_NAMES[label] == "same" else replaced[: int(random.integers(1, len(replaced) + 1))]
        other = _changed(scene, changed, random)
        alike = any(len({group.thing for group in each.groups}) == 1 for each in (scene, other))
        if not alike and apart.claim(split, scene, other):
            break
    twins = random.integers(2, size=len(_SLOTS))
    other_twins = twins.copy()
    other_twins[replaced] = 1 - twins[replaced]
    # A word of another meaning may be either of its twins.
    other_twins[changed] = random.integers(2, size=len(changed))
    first, second = random.permutation(len(_WORDINGS[scene.standing]))[:2]
    texts = (_text(scene, twins.tolist(), int(first)), _text(other, other_twins.tolist(), int(second)))
    return Pair((scene, other), texts, label)


def _random_scene(random: np.random.Generator) -> Scene:
    counts = _COUNTS[random.integers(len(_COUNTS))]
    groups = tuple(Group(count, random_thing(random)) for count in counts)
    return Scene(groups, BESIDE[random.integers(len(BESIDE))])


def _changed(scene: Scene, slots: Sequence[int], random: np.random.Generator) -> Scene:
    """The scene with another size, colour or shape in each of these slots."""
    groups = list(scene.groups)
    for place, attribute in (_SLOTS[slot] for slot in slots):
        names = _ATTRIBUTES[attribute]
        thing = groups[place].thing
        step = int(random.integers(1, len(names)))
        name = names[(names.index(getattr(thing, attribute)) + step) % len(names)]
        groups[place] = replace(groups[place], thing=replace(thing, **{attribute: name}))
    return replace(scene, groups=tuple(groups))


def _text(scene: Scene, twins: Sequence[int], wording: int) -> str:
    """Say what is in a scene; `twins` tells for each of _SLOTS whether the word is the twin."""
    names, verbs = [], []
    for place, group in enumerate(scene.groups):
        plain = (group.thing.size, group.thing.colour, group.thing.shape)
        chosen = twins[place * len(plain) : (place + 1) * len(plain)]
        *others, noun = (_TWINS[word] if twin else word for word, twin in zip(plain, chosen, strict=True))
        names.append(" ".join([COUNT_WORDS[group.count], *others, noun if group.count == 1 else plural(noun)]))
        verbs.append("is" if group.count == 1 else "are")
    return _WORDINGS[scene.standing][wording].format(
        first=names[0], second=names[1], first_verb=verbs[0], second_verb=verbs[1]
    )


def _draw(num_scenes: int) -> dict[str, list[DrawnRow[Pair]]]:
    return draw_splits("mrpc", SPLITS, num_scenes, _draw_split)


FAMILY = Family("mrpc", "scenes_mrpc", SPLITS, _SCHEMA, _draw, make_row, "text_a")
