"""From the bytes of an image file to a Pillow image, whatever the bytes are.

Used by the loader (at the size wanted) and by `prepare` (to check that a file is whole). No torch here.
"""

from __future__ import annotations

import io
import warnings

from PIL import Image

MAX_PIXELS = 100_000_000  # a decompression bomb has more; a large photograph has 50 million
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # plain pictures: none of Pillow's helper programs

# Pillow warns of curious metadata in files that decode well, and of large images, for which there is MAX_PIXELS.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class BadImage(ValueError):
    """The bytes are no picture that can be read. The message says why; who has the bytes says where."""


def open_image(data: bytes, shortest_side: int | None = None) -> Image.Image:
    """Decode an image to RGB.

    Args:
        data: the bytes of an image file.
        shortest_side: how many pixels of the shorter side are enough. A JPEG is then decoded at 1/2, 1/4 or 1/8 of
            its size where that leaves at least as many (its discrete cosine transform allows it at a fraction of
            the time). None for its full size.

    Raises:
        BadImage: no picture, a cut-off one, or one of more than MAX_PIXELS.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise BadImage(f"{width} x {height} pixels, more than {MAX_PIXELS:,}")
        if shortest_side is not None:
            scale = shortest_side / min(width, height)
            # Rounded up, so that no side ends below what is wanted.
            image.draft("RGB", (-int(-width * scale // 1), -int(-height * scale // 1)))
        image.load()
        return image if image.mode == "RGB" else image.convert("RGB")
    except BadImage:
        raise
    except Exception as error:  # Pillow's readers raise anything on damaged bytes
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadImage("not an image file" if "cannot identify" in reason else reason) from None


def check_image(data: bytes) -> None:
    """Decode the whole file at the smallest scale, to know that it is whole. Raises BadImage."""
    open_image(data, shortest_side=1)
