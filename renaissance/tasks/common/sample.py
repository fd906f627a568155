"""What a model wrote for an image, as a sheet shows it. No PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Sample:
    """What a model wrote for an image.

    Attributes:
        picture: the image.
        source: where it comes from.
        prefix: what the text was to begin with.
        generated: the text, the prefix included.
        references: what people wrote; empty where nobody did.
    """

    picture: Image.Image
    source: str
    prefix: str
    generated: str
    references: tuple[str, ...] = ()
