"""What a scene holds: one to three coloured shapes and how they stand.

Every scene has a number, so scenes are drawn without repetition by drawing numbers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from renaissance.errors import UserError

SIZES = ("small", "large")
COLOURS = ("red", "green", "blue", "yellow", "purple", "black")
SHAPES = ("circle", "square", "triangle")
PLACES = (
    *("top left", "top", "top right"),
    *("left", "middle", "right"),
    *("bottom left", "bottom", "bottom right"),
)  # of a single thing: a grid of 3 x 3, row by row
ARRANGEMENTS = ("row", "column")  # of two or three things: from left to right, from top to bottom

_THINGS = len(SIZES) * len(COLOURS) * len(SHAPES)
_CAPACITY = {1: len(PLACES) * _THINGS, 2: len(ARRANGEMENTS) * _THINGS**2, 3: len(ARRANGEMENTS) * _THINGS**3}
_SHARE = {1: 0.05, 2: 0.35}  # of all scenes; the rest have three things
_MOST_OF_CAPACITY = 0.9  # so that some combinations remain unseen even among the single things


@dataclass(frozen=True)
class Thing:
    """One coloured shape."""

    size: str
    colour: str
    shape: str


@dataclass(frozen=True)
class Scene:
    """One to three things.

    Attributes:
        things: from left to right in a row, from top to bottom in a column.
        standing: a name in PLACES for one thing, in ARRANGEMENTS for several.
    """

    things: tuple[Thing, ...]
    standing: str

    def as_dict(self) -> dict[str, Any]:
        """The scene in plain values, for the table's column `scene`."""
        return {"things": [asdict(thing) for thing in self.things], "standing": self.standing}


def draw_scenes(number: int, random: np.random.Generator) -> list[Scene]:
    """`number` scenes in random order, all different.

    Raises:
        UserError: there are not so many.
    """
    counts = {count: min(round(number * share), int(_CAPACITY[count] * _MOST_OF_CAPACITY)) for count, share in _SHARE.items()}
    counts[3] = number - sum(counts.values())
    if counts[3] > _CAPACITY[3]:
        raise UserError(f"num_scenes={number} is too many: there are about {sum(_CAPACITY.values()):,} different scenes.")
    scenes = [
        _scene(things, int(code))
        for things, wanted in counts.items()
        for code in random.choice(_CAPACITY[things], size=wanted, replace=False)
    ]
    return [scenes[place] for place in random.permutation(len(scenes))]


def draw_thing(random: np.random.Generator) -> Thing:
    """One thing at random."""
    return _thing(int(random.integers(_THINGS)))


def _scene(things: int, code: int) -> Scene:
    """Scene number `code` among those of so many things."""
    standings = PLACES if things == 1 else ARRANGEMENTS
    code, standing = divmod(code, len(standings))
    chosen = []
    for _ in range(things):
        code, thing = divmod(code, _THINGS)
        chosen.append(_thing(thing))
    return Scene(tuple(chosen), standings[standing])


def _thing(code: int) -> Thing:
    code, size = divmod(code, len(SIZES))
    shape, colour = divmod(code, len(COLOURS))
    return Thing(SIZES[size], COLOURS[colour], SHAPES[shape])
