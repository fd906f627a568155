"""Draws scenes with Pillow: flat shapes on a light ground, each a little off its place, size and colour."""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import cos, sin, tau

import numpy as np
from PIL import Image, ImageDraw

from renaissance.data.scene.content import Scene, Thing

SIDE = 96  # pixels
_COMPRESSION = 3  # of the PNG file, 0 to 9: twice as fast as the usual 6
_SCALE = 4  # drawn so much larger and then reduced, for smooth edges
_RADIUS = {"small": 0.085, "large": 0.145}  # shares of the side; three large things fit side by side
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


def _draw(things: list[Thing], centres: list[tuple[float, float]], random: np.random.Generator) -> Picture:
    grey = int(random.integers(*_GROUND))
    image = Image.new("RGB", (SIDE * _SCALE, SIDE * _SCALE), (grey, grey, grey))
    pencil = ImageDraw.Draw(image)
    boxes = [_draw_thing(pencil, thing, centre, random) for thing, centre in zip(things, centres, strict=True)]
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
    pencil: ImageDraw.ImageDraw, thing: Thing, centre: tuple[float, float], random: np.random.Generator
) -> list[int]:
    """Draw one thing; returns its box."""
    x, y = (np.array(centre) + random.uniform(-_PLACE_SPREAD, _PLACE_SPREAD, size=2)) * SIDE
    radius = _RADIUS[thing.size] * SIDE * random.uniform(1 - _RADIUS_SPREAD, 1 + _RADIUS_SPREAD)
    tint = random.integers(-_COLOUR_SPREAD, _COLOUR_SPREAD + 1, size=3)
    red, green, blue = (int(value) for value in np.clip(np.array(_COLOURS[thing.colour]) + tint, 0, 255))
    if thing.shape == "circle":
        corners = [(x - radius, y - radius), (x + radius, y + radius)]
        pencil.ellipse([(_SCALE * a, _SCALE * b) for a, b in corners], fill=(red, green, blue))
    else:
        outline = [(turn * tau, distance * radius) for turn, distance in _OUTLINES[thing.shape]]
        corners = [(x + reach * cos(angle), y + reach * sin(angle)) for angle, reach in outline]
        pencil.polygon([(_SCALE * a, _SCALE * b) for a, b in corners], fill=(red, green, blue))
    across, down = [a for a, _ in corners], [b for _, b in corners]
    left, upper = round(min(across)), round(min(down))
    return [left, upper, round(max(across)) - left, round(max(down)) - upper]
