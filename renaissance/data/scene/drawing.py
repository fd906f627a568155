"""Draws scenes with Pillow: flat shapes on a light ground, each a little off its place, size and colour."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import cos, sin, tau

import numpy as np
from PIL import Image, ImageDraw

from renaissance.data.scene.content import Placed, Scene, Thing

SIDE = 96  # pixels
_COMPRESSION = 3  # of the PNG file, 0 to 9: twice as fast as the usual 6
_SCALE = 4  # drawn so much larger and then reduced, for smooth edges
_RADIUS = {"small": 0.085, "large": 0.145}  # shares of the side; three large things fit side by side
_FREE_SCALE = 0.9  # things at free places are so much smaller, so that five of them fit
_RADIUS_SPREAD = 0.06  # a radius is up to so much larger or smaller
_PLACE_SPREAD = 0.01  # of the side
_COLOUR_SPREAD = 12  # of 255
_COLOURS = {
    "red": (215, 35, 40),
    "orange": (250, 140, 30),
    "yellow": (245, 225, 50),
    "green": (40, 160, 60),
    "blue": (45, 80, 220),
    "purple": (130, 40, 160),
    "pink": (250, 150, 195),
    "black": (25, 25, 25),
}
_GROUND = (228, 250)  # greys, from and to
_COVER = (150, 175)  # greys of a cover, from and to
# Corners on a circle around the middle (angle in turns, distance), a little off the radius so that areas are alike.
_OUTLINES = {
    "square": [(corner / 4 + 1 / 8, 1.25) for corner in range(4)],
    "triangle": [(corner / 3 - 1 / 4, 1.3) for corner in range(3)],
    "cross": [
        (arm / 4 + turn, distance)
        for arm in range(4)
        for turn, distance in ((-0.05, 1.12), (0.05, 1.12), (0.125, 0.49))
    ],
}


Box = tuple[float, float, float, float]  # x, y, width, height


@dataclass(frozen=True)
class Picture:
    """A drawn scene: the bytes of its PNG file, and the box (x, y, width, height) of each thing in pixels."""

    png: bytes
    boxes: list[list[int]]


def draw(scene: Scene, random: np.random.Generator) -> Picture:
    """Draw a scene."""
    return _draw(scene.things, _centres(scene), random)


def draw_anywhere(thing: Thing, random: np.random.Generator) -> Picture:
    """Draw a single thing at any place of the picture."""
    margin = _RADIUS["large"] * 1.2
    x, y = random.uniform(margin, 1 - margin, size=2)
    return _draw([thing], [(x, y)], random)


def draw_placed(things: Sequence[Placed], random: np.random.Generator, cover: Box | None = None) -> Picture:
    """Draw things at their places.

    Args:
        things: the things and their places.
        random: random numbers.
        cover: a flat grey rectangle over all that is drawn, in shares of the side; None for none.
    """
    centres = [(placed.x, placed.y) for placed in things]
    colours = [_mixture(placed) for placed in things]
    return _draw([placed.thing for placed in things], centres, random, _FREE_SCALE, colours, cover)


@cache
def reach_of(thing: Thing) -> tuple[float, float, float, float]:
    """How far a thing at a free place may reach left, up, right and down of its centre, in shares of the side."""
    radius = _RADIUS[thing.size] * _FREE_SCALE * (1 + _RADIUS_SPREAD)
    across, down = zip(*_corners(thing.shape, 0, 0, radius), strict=True)
    left, up, right, below = (_PLACE_SPREAD + reach for reach in (-min(across), -min(down), max(across), max(down)))
    return left, up, right, below


def _draw(
    things: list[Thing],
    centres: list[tuple[float, float]],
    random: np.random.Generator,
    scale: float = 1.0,
    colours: Sequence[tuple[int, int, int]] | None = None,
    cover: Box | None = None,
) -> Picture:
    grey = int(random.integers(*_GROUND))
    image = Image.new("RGB", (SIDE * _SCALE, SIDE * _SCALE), (grey, grey, grey))
    pencil = ImageDraw.Draw(image)
    colours = colours or [_COLOURS[thing.colour] for thing in things]
    boxes = [
        _draw_thing(pencil, thing, centre, random, scale, colour)
        for thing, centre, colour in zip(things, centres, colours, strict=True)
    ]
    if cover is not None:
        x, y, width, height = (round(SIDE * share) * _SCALE for share in cover)
        grey = int(random.integers(*_COVER))
        pencil.rectangle([x, y, x + width - 1, y + height - 1], fill=(grey, grey, grey))
    file = io.BytesIO()
    image.reduce(_SCALE).save(file, "PNG", compress_level=_COMPRESSION)
    return Picture(file.getvalue(), boxes)


def _centres(scene: Scene) -> list[tuple[float, float]]:
    """Where the things stand, x and y as shares of the side: always in a cell of a grid of 3 x 3."""
    words = scene.standing.split()
    thirds = {"top": 1 / 6, "left": 1 / 6, "middle": 1 / 2, "bottom": 5 / 6, "right": 5 / 6}
    if scene.standing == "middle" or words[-1] == "corner":
        down, across = words[:2] if len(words) > 1 else ("middle", "middle")
        return [(thirds[across], thirds[down])]
    along = [1 / 6, 1 / 2, 5 / 6] if len(scene.things) == 3 else [1 / 6, 5 / 6]
    aside = thirds[words[0]] if len(words) > 1 else 1 / 2
    return [(place, aside) if words[-1] == "row" else (aside, place) for place in along]


def _draw_thing(
    pencil: ImageDraw.ImageDraw,
    thing: Thing,
    centre: tuple[float, float],
    random: np.random.Generator,
    scale: float,
    colour: tuple[int, int, int],
) -> list[int]:
    """Draw one thing; returns its box."""
    x, y = (np.array(centre) + random.uniform(-_PLACE_SPREAD, _PLACE_SPREAD, size=2)) * SIDE
    radius = _RADIUS[thing.size] * SIDE * scale * random.uniform(1 - _RADIUS_SPREAD, 1 + _RADIUS_SPREAD)
    tint = random.integers(-_COLOUR_SPREAD, _COLOUR_SPREAD + 1, size=3)
    red, green, blue = (int(value) for value in np.clip(np.array(colour) + tint, 0, 255))
    corners = _corners(thing.shape, x, y, radius)
    points = [(_SCALE * a, _SCALE * b) for a, b in corners]
    if thing.shape == "circle":
        pencil.ellipse(points, fill=(red, green, blue))
    else:
        pencil.polygon(points, fill=(red, green, blue))
    across, down = [a for a, _ in corners], [b for _, b in corners]
    left, upper = round(min(across)), round(min(down))
    return [left, upper, round(max(across)) - left, round(max(down)) - upper]


def _corners(shape: str, x: float, y: float, radius: float) -> list[tuple[float, float]]:
    """The corners of a shape; for a circle those of its box."""
    if shape == "circle":
        return [(x - radius, y - radius), (x + radius, y + radius)]
    outline = [(turn * tau, distance * radius) for turn, distance in _OUTLINES[shape]]
    return [(x + reach * cos(angle), y + reach * sin(angle)) for angle, reach in outline]


def _mixture(placed: Placed) -> tuple[int, int, int]:
    """The colour of a thing into which another may be mixed."""
    own = np.array(_COLOURS[placed.thing.colour])
    second = np.array(_COLOURS[placed.second_colour or placed.thing.colour])
    red, green, blue = (int(value) for value in np.round(own + placed.share * (second - own)))
    return red, green, blue
