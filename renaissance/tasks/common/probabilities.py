"""Tasks that answer an example with one row of probabilities, as whoever exports a trained model asks for them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from renaissance.tasks.common.step import Step


@runtime_checkable
class GivesProbabilities(Protocol):
    """A task with C possible answers, whose `answers` are made of these probabilities."""

    def answer_names(self) -> list[str]:
        """The C possible answers, by their number."""

    def probabilities(self, step: Step) -> Tensor:
        """The probability (B, C) float32 of each answer to a step's examples.

        Where nothing was collated for the batch, the question is what the examples hold. Examples with several images
        have the further ones behind all of their first: rows B to 2 B - 1 of the step's images are the second ones.
        """
