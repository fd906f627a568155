"""From any kind of picture to RGB of 8 bits: transparency, 16 and 32 bits, floating point.

In: a decoded Pillow image. Out: RGB. Pillow's own `convert` cuts off what is above 255, and shows the colours that lie
under transparent areas. docs/data.md lists what is done with each kind.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, SAMPLEFORMAT, TiffImageFile

_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
_NUMBERS = (*_SIXTEEN_BITS, "I", "F")  # grey of more than 8 bits
_USUAL_WHITE = (255.0, 65535.0)
_WHITE_IS_ZERO = 0  # of TIFF's photometric interpretations
_UNSIGNED = (1,)  # of TIFF's sample formats


def to_rgb(image: Image.Image) -> Image.Image:
    """A decoded image of any mode as RGB; transparent areas show the white paper below.

    Raises:
        ValueError: Pillow has no way from this mode to RGB (LAB), or the numbers of the image are not finite.
    """
    if image.mode in _NUMBERS:
        return _grey(image).convert("RGB")
    if image.has_transparency_data:
        key = image.info.get("transparency")
        if isinstance(key, tuple) and max(key) > 255:  # of 16 bits a colour, of which Pillow reads the high bytes
            image.info["transparency"] = tuple(value >> 8 for value in key)
        opaque = Image.new("RGB", image.size, "white")
        transparent = image.convert("RGBA")
        opaque.paste(transparent, mask=transparent)
        return opaque
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey(image: Image.Image) -> Image.Image:
    """An image of numbers, its range of them spread over 0 to 255."""
    numbers = np.asarray(image)
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    if image.mode == "I" and tags.get(SAMPLEFORMAT, _UNSIGNED) == _UNSIGNED:
        numbers = numbers.view(np.uint32)  # Pillow has them as signed, and the upper half as negative
    black, white = _range(image, numbers, tags.get(BITSPERSAMPLE))
    # 32-bit integers need the longer mantissa: their differences can be small beside them.
    scaled: NDArray[np.floating] = numbers.astype(np.float64 if image.mode == "I" else np.float32)
    np.subtract(scaled, black, out=scaled)
    np.multiply(scaled, 255 / (white - black), out=scaled)
    if tags.get(PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO:
        np.subtract(255, scaled, out=scaled)
    grey = scaled.round().clip(0, 255).astype(np.uint8)
    transparent = image.info.get("transparency")  # a level of grey
    return Image.fromarray(grey if transparent is None else np.where(numbers == transparent, np.uint8(255), grey))


def _range(image: Image.Image, numbers: NDArray[np.generic], bits: tuple[int, ...] | None) -> tuple[float, float]:
    """What is black and what is white.

    Files of 16 bits have their full range, so that pictures of one series stay comparable. Those of 32 bits do not say
    theirs: it is the smallest usual one that holds all numbers, and where none does, the image's own.
    """
    if bits == (12,):
        return 0, 4095
    if image.mode in _SIXTEEN_BITS or (image.format == "PPM" and image.mode == "I"):  # Pillow scales PPM to 16 bits
        return 0, 65535
    lowest, highest = float(numbers.min()), float(numbers.max())
    if not np.isfinite((lowest, highest)).all():
        raise ValueError("it has values that are no finite numbers")
    usual = _USUAL_WHITE if image.mode == "I" else (1.0, *_USUAL_WHITE)
    white = next((white for white in usual if lowest >= 0 and highest <= white), None)
    if white is not None:
        return 0, white
    return lowest, highest if highest > lowest else lowest + 1
