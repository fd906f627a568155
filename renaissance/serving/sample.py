"""An example that can be sent as it is, for whoever tries a server out, and for warming a model up."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import cache
from typing import Any

from PIL import Image, ImageDraw

from renaissance.tasks.common.task import Input

SIDE = 64  # pixels
TEXTS = {"text": "a red circle above a blue square", "text_pair": "a circle above a square"}
WITHOUT_PICTURES = {"text": "a warm and funny film, well played to the end", "text_pair": "the film is funny"}
MASKED = "a [MASK] circle above a blue square"
BOXES = [[20, 4, 24, 24], [20, 36, 24, 24]]


def sample_example(inputs: Sequence[Input], kind: str) -> dict[str, Any]:
    """An example in the form of a request.

    Args:
        inputs: the fields that it must have.
        kind: of the task's answers.
    """
    texts = TEXTS if any(one.type != "text" for one in inputs) else WITHOUT_PICTURES
    if kind == "words":
        texts = {**texts, "text": MASKED}
    values: dict[str, Any] = {
        "image": f"data:image/png;base64,{base64.b64encode(sample_image()).decode()}",
        "boxes": BOXES,
    }
    return {
        one.field: texts.get(one.field, texts["text"]) if one.type == "text" else values[one.type] for one in inputs
    }


@cache
def sample_image() -> bytes:
    """A PNG file of a red circle above a blue square."""
    image = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 4, 43, 27), fill="red")
    draw.rectangle((20, 36, 43, 59), fill="blue")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
