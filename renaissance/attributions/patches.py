"""The grid of patches of a picture: where it lies, and how it is cut where it is finer than can be tried.

Shapes: P positions of an encoded picture, S pixels on a side.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, isqrt

from renaissance.attributions.attribution import Grid
from renaissance.attributions.subject import Picture, Square, Subject
from renaissance.data.images.decode import upright_size

FALLBACK = 7  # cells on a side, where an encoder's positions make up no square


def grid_side(subject: Subject, picture: Picture) -> int | None:
    """Patches on a side of the encoder's own grid; None where its positions are no square."""
    positions = subject.model.encoder.image_positions
    patches = subject.features(picture).hidden.shape[1] - (positions.before if positions else 0)
    side = isqrt(patches)
    return side if side * side == patches and side > 0 else None


def cells_of(side: int | None, pixels: int, most: int) -> tuple[list[list[Square]], str]:
    """The cells of the grid, rows of columns, at most so many; and what to say where they are not the encoder's own.

    Args:
        side: patches on a side; None for no grid of the encoder's own.
        pixels: S.
        most: cells.
    """
    fewest = max(isqrt(most), 1)
    if side is None:
        cells, note = min(FALLBACK, fewest), f"The encoder has no square grid of patches; {FALLBACK} x {FALLBACK} cells"
    else:
        together = ceil(side / fewest)
        cells = ceil(side / together)
        note = "" if together == 1 else f"The encoder's grid is {side} x {side}; {together} x {together} patches a cell"
    edges = [round(number * pixels / cells) for number in range(cells + 1)]
    if side is not None:
        edges = [min(number * ceil(side / cells), side) * pixels // side for number in range(cells + 1)]
    squares = [[(upper, lower, left, right) for left, right in pairwise(edges)] for upper, lower in pairwise(edges)]
    return squares, note and f"{note}, so that they can all be tried."


def region_of(subject: Subject, picture: Picture) -> tuple[float, float, float, float]:
    """Where the grid lies in the image, in its pixels, upright: left, upper, width, height."""
    width, height = upright_size(subject.values[picture.field])
    if picture.box is None:
        side = min(width, height)
        return (width - side) / 2, (height - side) / 2, float(side), float(side)
    left, upper, across, down = picture.box
    left, upper, right, lower = max(left, 0.0), max(upper, 0.0), min(left + across, width), min(upper + down, height)
    return float(left), float(upper), float(right - left), float(lower - upper)


def as_grid(values: list[float], columns: int) -> Grid:
    """Values, row behind row, as rows."""
    return [values[start : start + columns] for start in range(0, len(values), columns)]
