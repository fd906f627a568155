"""Position embeddings of another size: resized by interpolation, the way transformers and timm do it.

In: a trained tensor and the shape that the model wants. Out: a tensor of that shape, or None where no rule fits.
Shapes: N positions, D width, k special positions (class, distillation), (G, G) the grid of patches.
"""

from __future__ import annotations

from math import isqrt

from torch import Tensor, cat
from torch.nn.functional import interpolate


def resize_sequence(weight: Tensor, length: int, first: int = 0) -> Tensor:
    """Positions of a text, stretched or squeezed linearly.

    Args:
        weight: (N, D), one row a position.
        length: rows wanted.
        first: rows before the first position, kept as they are (RoBERTa counts from padding number + 1).

    Returns:
        (length, D).
    """
    kept, positions = weight[:first], weight[first:]
    stretched = interpolate(positions.T[None].float(), size=length - first, mode="linear", align_corners=True)
    return cat((kept, stretched[0].T.to(weight.dtype)))


def resize_grid(weight: Tensor, grid: int, special: int, special_last: bool = False) -> Tensor:
    """Positions of a square grid, interpolated bicubically; the special positions are kept.

    As in https://github.com/facebookresearch/dino/blob/main/vision_transformer.py (`interpolate_pos_encoding`).

    Args:
        weight: (k + G * G, D).
        grid: side of the grid wanted.
        special: k, the number of positions that are no place of the grid.
        special_last: the special positions stand behind the grid (BEiT's bias tables) instead of before it.

    Returns:
        (k + grid * grid, D).
    """
    count, width = weight.shape
    split = count - special if special_last else special
    head, tail = weight[:split], weight[split:]
    places = head if special_last else tail
    side = isqrt(len(places))
    image = places.float().reshape(1, side, side, width).permute(0, 3, 1, 2)
    resized = interpolate(image, size=(grid, grid), mode="bicubic", align_corners=False)
    places = resized.permute(0, 2, 3, 1).reshape(grid * grid, width).to(weight.dtype)
    return cat((places, tail)) if special_last else cat((head, places))


def grid_sides(old: int, new: int, specials: tuple[int, ...]) -> tuple[int, int, int] | None:
    """How many of `old` and `new` positions are special, when both then leave a square grid.

    Returns:
        (special positions, side of the old grid, side of the new one), or None.
    """
    for special in specials:
        sides = [isqrt(max(count - special, 0)) for count in (old, new)]
        if all(side > 0 and side * side + special == count for side, count in zip(sides, (old, new), strict=True)):
            return special, sides[0], sides[1]
    return None
