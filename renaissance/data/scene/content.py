"""What a scene holds: one to three coloured shapes and how they stand.

There are two families: one group of alike things, and two groups of one or two things each. Every scene of a family
has a number, so scenes are drawn without repetition by drawing numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

SIZES = ("small", "large")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black")
SHAPES = ("circle", "square", "triangle", "cross")
THINGS = len(SIZES) * len(COLOURS) * len(SHAPES)

# How things stand: alike ones in a corner, a row or a column, two groups beside or above each other, through the
# middle. A group has at most two things, so no group stands where alike things do, and each sentence stays true of
# its own picture only.
CORNERS = ("top left corner", "top right corner", "bottom left corner", "bottom right corner")
OUTER = ("top row", "bottom row", "left column", "right column")
INNER = ("middle row", "middle column")
BESIDE = ("row", "column")

_ALIKE = (
    [(1, place) for place in ("middle", *CORNERS)]
    + [(2, place) for place in OUTER]
    + [(3, place) for place in OUTER + INNER]
)
_GROUPS = [((first, second), standing) for first, second in ((1, 1), (1, 2), (2, 1)) for standing in BESIDE]
_ALIKE_CODES = len(_ALIKE) * THINGS
_GROUPS_CODES = len(_GROUPS) * THINGS * (THINGS - 1)
_ALIKE_SHARE = 0.3  # of all scenes, if there are as many
_MOST_OF_ALIKE = 0.9  # so that some combinations remain unseen
MOST_SCENES = _GROUPS_CODES + int(_ALIKE_CODES * _MOST_OF_ALIKE)


@dataclass(frozen=True)
class Thing:
    """One coloured shape."""

    size: str
    colour: str
    shape: str


@dataclass(frozen=True)
class Placed:
    """A thing and where its centre is, in shares of the picture's side.

    Attributes:
        thing: the thing.
        x: from the left edge.
        y: from the top edge.
        second_colour: a colour that is mixed into the thing's own; None for none.
        share: of the second colour in the mixture, 0 to 1.
    """

    thing: Thing
    x: float
    y: float
    second_colour: str | None = None
    share: float = 0.0


@dataclass(frozen=True)
class Group:
    """One to three of the same."""

    count: int
    thing: Thing


@dataclass(frozen=True)
class Scene:
    """One to three things in one or two groups.

    Attributes:
        groups: one group, or two different ones from left to right or from top to bottom.
        standing: "middle", a name in CORNERS, OUTER or INNER for one group; a name in BESIDE for two.
    """

    groups: tuple[Group, ...]
    standing: str

    @property
    def things(self) -> list[Thing]:
        """Every thing, from left to right or from top to bottom."""
        return [group.thing for group in self.groups for _ in range(group.count)]

    def as_dict(self, boxes: Sequence[list[int]] | None = None) -> dict[str, Any]:
        """The scene in plain values, for a table's column `scene`; with the things' boxes where there is a picture."""
        things: list[dict[str, Any]] = [asdict(thing) for thing in self.things]
        for thing, box in zip(things, boxes or (), strict=boxes is not None):
            thing["box"] = box
        return {"things": things, "standing": self.standing}


def draw_scenes(number: int, random: np.random.Generator) -> list[Scene]:
    """`number` scenes in random order, all different: at most MOST_SCENES."""
    alike = min(round(number * _ALIKE_SHARE), int(_ALIKE_CODES * _MOST_OF_ALIKE))
    scenes = [_alike(int(code)) for code in random.choice(_ALIKE_CODES, size=alike, replace=False)]
    scenes += [_two_groups(int(code)) for code in random.choice(_GROUPS_CODES, size=number - alike, replace=False)]
    return [scenes[place] for place in random.permutation(number)]


def _alike(code: int) -> Scene:
    """Scene number `code` of one group."""
    thing, standing = divmod(code, len(_ALIKE))
    count, place = _ALIKE[standing]
    return Scene((Group(count, _thing(thing)),), place)


def _two_groups(code: int) -> Scene:
    """Scene number `code` of two groups."""
    code, standing = divmod(code, len(_GROUPS))
    (first_count, second_count), place = _GROUPS[standing]
    first, step = divmod(code, THINGS - 1)
    second = (first + 1 + step) % THINGS
    return Scene((Group(first_count, _thing(first)), Group(second_count, _thing(second))), place)


def _thing(code: int) -> Thing:
    code, size = divmod(code, len(SIZES))
    shape, colour = divmod(code, len(COLOURS))
    return Thing(SIZES[size], COLOURS[colour], SHAPES[shape])
