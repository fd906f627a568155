"""The words of a text that a task wrote, and its tokens."""

from __future__ import annotations

from renaissance.data.text.words import TokenisedWord, words_of
from renaissance.inference.model import Model
from renaissance.tasks.common.claim import Claim


def words_written(model: Model, claim: Claim) -> list[TokenisedWord]:
    """The words of what was written, with their places among its tokens; none where the answer is no written text."""
    if not claim.written:
        return []
    assert model.text is not None
    return words_of([claim.written], model.text.characters(claim.written), None)
