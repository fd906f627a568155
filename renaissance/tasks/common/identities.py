"""Which captions and which images are the same: numbers that are equal in every process, batch and epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.fetch import Fetch
from renaissance.data.examples.belonging import words_of

_BYTES = 8  # of an identifier: among a million captions two that differ share one with a probability of 3e-8


@dataclass(frozen=True)
class Identify:
    """The identifiers of a batch's captions and images (a `Collate`).

    A caption is known by its words, whatever their case and the punctuation; an image by the bytes of its file, so
    that the same file in two tables, or in two rows of one, is one image.
    """

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Read captions and images, and number them.

        Args:
            batch: B examples.
            fetch: reads them.
            streams: not used.

        Returns:
            "text_id" and "image_id": (B,) long.
        """
        texts, images = [], []
        of_row: dict[int, int] = {}
        for index in batch.index.tolist():
            texts.append(_identifier(" ".join(words_of(fetch.value(index, "text").casefold())).encode()))
            row = fetch.examples.row_of(index)
            if row not in of_row:
                of_row[row] = _identifier(fetch.value(index, "image"))
            images.append(of_row[row])
        return {"text_id": torch.tensor(texts), "image_id": torch.tensor(images)}


def _identifier(content: bytes) -> int:
    """A number of 64 bits that follows from the content."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=_BYTES).digest(), "big", signed=True)
