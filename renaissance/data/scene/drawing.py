"""Draws scenes with Pillow: flat shapes on a light ground, each a little off its place, size and colour."""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageDraw

from renaissance.data.scene.content import PLACES, Scene, Thing

SIDE = 96  # pixels
_SCALE = 4  # drawn so much larger and then reduced, for smooth edges
_RADIUS = {"small": 0.065, "large": 0.115}  # shares of the side; three large things fit side by side
_RADIUS_SPREAD = 0.08  # a radius is up to so much larger or smaller
_PLACE_SPREAD = 0.015  # of the side
_COLOUR_SPREAD = 16  # of 255
_COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 160, 60),
    "blue": (50, 80, 220),
    "yellow": (240, 210, 40),
    "purple": (150, 50, 180),
    "black": (30, 30, 30),
}
_GROUND = (228, 250)  # greys, from and to
_POLYGON = {"square": (4, pi / 4), "triangle": (3, -pi / 2)}  # corners, direction of the first


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
    return _draw((thing,), [(x, y)], random)


def _draw(things: tuple[Thing, ...], centres: list[tuple[float, float]], random: np.random.Generator) -> Picture:
    grey = int(random.integers(*_GROUND))
    image = Image.new("RGB", (SIDE * _SCALE, SIDE * _SCALE), (grey, grey, grey))
    pencil = ImageDraw.Draw(image)
    boxes = [_draw_thing(pencil, thing, centre, random) for thing, centre in zip(things, centres, strict=True)]
    file = io.BytesIO()
    image.resize((SIDE, SIDE), Image.Resampling.BOX).save(file, "PNG")
    return Picture(file.getvalue(), boxes)


def _centres(scene: Scene) -> list[tuple[float, float]]:
    """Where the things stand, x and y as shares of the side."""
    if len(scene.things) == 1:
        row, column = divmod(PLACES.index(scene.standing), 3)
        return [((2 * column + 1) / 6, (2 * row + 1) / 6)]
    along = [(2 * place + 1) / (2 * len(scene.things)) for place in range(len(scene.things))]
    return [(place, 0.5) if scene.standing == "row" else (0.5, place) for place in along]


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
        number, direction = _POLYGON[thing.shape]
        # A little larger than the circle's, so that the areas are alike and only the outline tells.
        reach = radius * {"square": 1.25, "triangle": 1.35}[thing.shape]
        angles = [direction + 2 * pi * corner / number for corner in range(number)]
        corners = [(x + reach * cos(angle), y + reach * sin(angle)) for angle in angles]
        pencil.polygon([(_SCALE * a, _SCALE * b) for a, b in corners], fill=(red, green, blue))
    across, down = [a for a, _ in corners], [b for _, b in corners]
    left, upper = round(min(across)), round(min(down))
    return [left, upper, round(max(across)) - left, round(max(down)) - upper]
