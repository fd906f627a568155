"""From the bytes of an image file to an upright RGB image, whatever the bytes are.

Used by the loader (at the size wanted) and by `prepare` (to check that a file is whole). No torch here.
"""

from __future__ import annotations

import io
import warnings

from PIL import ExifTags, Image

from renaissance.data.images.modes import to_rgb

MAX_PIXELS = 100_000_000  # a decompression bomb has more; a large photograph has 50 million
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # plain pictures: none of Pillow's helper programs

# How an image is brought upright, by the orientation in its EXIF data. Source: EXIF 2.32 (CIPA DC-008), tag 274.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_LYING = range(5, 9)  # the EXIF orientations that exchange width and height

# Pillow warns of curious metadata in files that decode well, and of large images, for which there is MAX_PIXELS.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class BadImage(ValueError):
    """The bytes are no picture that can be read. The message says why; who has the bytes says where."""


def open_image(data: bytes | Image.Image, shortest_side: int | None = None) -> Image.Image:
    """Decode an image to RGB, turned as its EXIF data say. Of several frames or pages it is the first.

    Args:
        data: the bytes of an image file, or a picture that Pillow has opened.
        shortest_side: how many pixels of the shorter side are enough. The bytes of a JPEG are then decoded at 1/2, 1/4
            or 1/8 of its size where that leaves at least as many (its discrete cosine transform allows it at a fraction
            of the time). None for its full size.

    Raises:
        BadImage: no picture, a cut-off one, one of more than MAX_PIXELS, or one whose colours have no way to RGB.
    """
    try:
        image = data if isinstance(data, Image.Image) else Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise BadImage(f"{width} x {height} pixels, more than {MAX_PIXELS:,}")
        if shortest_side is not None and image is not data:
            scale = shortest_side / min(width, height)
            # Rounded up, so that no side ends below what is wanted.
            image.draft("RGB", (-int(-width * scale // 1), -int(-height * scale // 1)))
        image.load()
        turn = _UPRIGHT.get(_orientation(image))
        return to_rgb(image) if turn is None else to_rgb(image).transpose(turn)
    except BadImage:
        raise
    except Exception as error:  # Pillow's readers raise anything on damaged bytes
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadImage("not an image file" if "cannot identify" in reason else reason) from None


def upright_size(data: bytes | Image.Image) -> tuple[int, int]:
    """The width and the height of an image, turned as its EXIF data say; of a file, from its first bytes.

    Raises:
        BadImage: no picture.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS) if isinstance(data, bytes) else data
        width, height = image.size
        return (height, width) if _orientation(image) in _LYING else (width, height)
    except Exception as error:  # Pillow's readers raise anything on damaged bytes
        raise BadImage(" ".join(str(error).split())[:200] or type(error).__name__) from None


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation of a loaded image; 1, which is upright, where there is none or it is damaged."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # Pillow's reader raises anything on damaged EXIF data, and the picture is good without
        return 1
    return orientation if isinstance(orientation, int) else 1


def check_image(data: bytes) -> None:
    """Decode the whole file at the smallest scale, to know that it is whole. Raises BadImage."""
    open_image(data, shortest_side=1)
