"""A task that writes captions, as whoever uses a trained model asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from renaissance.tasks.common.step import Step


@runtime_checkable
class Writer(Protocol):
    """A task that writes of images."""

    def captions(self, step: Step, prefix: str = "") -> list[str]:
        """Captions of a step's images, each beginning with the prefix."""


@runtime_checkable
class GrowingWriter(Writer, Protocol):
    """A task that tells of a caption while it writes it."""

    def growing_caption(self, step: Step, prefix: str = "") -> Iterator[str]:
        """The caption of a step's only image, as far as it is written, after each token."""
