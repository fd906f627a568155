"""What a task's collate fetches beyond the examples' own image and text: others' images, boxes, texts, any value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from renaissance.data.examples.interface import Examples
from renaissance.data.images.decode import BadImage, upright_size
from renaissance.data.images.transform import Box
from renaissance.errors import ExampleError


@dataclass(frozen=True)
class ImageAddress:
    """An image, or a part of one.

    Attributes:
        index: the example.
        column: of its images.
        box: left, upper, width and height of the part that is wanted, in pixels; None for all of it.
    """

    index: int
    column: str = "image"
    box: Box | None = None


class Fetch:
    """Takes collates' requests for images, texts and values; equal requests get the same row.

    Attributes:
        examples: where they are read, to draw from.
    """

    def __init__(self, examples: Examples, own: int):
        """Begin a batch.

        Args:
            examples: the examples.
            own: B, how many of them the batch has.
        """
        self.examples = examples
        self._own = own
        self._images: dict[ImageAddress, int] = {}
        self._texts: dict[int, int] = {}

    @property
    def images(self) -> list[ImageAddress]:
        """The images that were asked for, in the order of their rows."""
        return list(self._images)

    @property
    def texts(self) -> list[int]:
        """The examples whose texts were asked for, in the order of their rows."""
        return list(self._texts)

    def image(self, index: int, column: str = "image", box: Box | None = None) -> int:
        """Ask for an image; returns its row in the batch's `pixels`.

        Args:
            index: the example that it is of.
            column: by the name that tasks use.
            box: a part of it, which is cut out before it is resized.
        """
        index = self.examples.of_row(self.examples.row_of(index)).start  # the same for all texts of the row
        return self._images.setdefault(ImageAddress(index, column, box), self._own + len(self._images))

    def text(self, index: int) -> int:
        """Ask for the text of an example; returns its row in the batch's `tokens`."""
        return self._texts.setdefault(index, self._own + len(self._texts))

    def size(self, index: int) -> tuple[int, int]:
        """The width and the height of an example's image, in pixels, upright.

        Raises:
            UserError: it cannot be read.
        """
        try:
            return upright_size(self.value(index, "image"))
        except BadImage as error:
            raise unreadable(self.examples, index, "image", error) from None

    def value(self, index: int, column: str) -> Any:
        """A value of an example, as `Examples.value` gives it."""
        return self.examples.value(index, column)


def unreadable(examples: Examples, index: int, column: str, error: BadImage) -> ExampleError:
    """What to tell a user of an image that cannot be read."""
    reason = f"the image cannot be read: {error}"
    return ExampleError(f"{examples.where(index, column)}: {reason}.{examples.remedy}", index, column, reason)
