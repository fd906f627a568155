"""The best matches among many features, in blocks, so that memory does not grow with their number."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renaissance.errors import UserError

BLOCK = 65_536  # features compared at once
LENGTH_ERROR = 0.01  # of features of length 1, which may be computed in half precision


@dataclass(frozen=True, order=True)
class Found:
    """A match's place.

    Attributes:
        distance: the cosine with the query, negated: the best come first.
        table: the number of its table.
        place: its number in the table's features.
    """

    distance: float
    table: int
    place: int

    @property
    def score(self) -> float:
        """The cosine with the query."""
        return -self.distance


def best_matches(query: NDArray[np.float32], features: NDArray[np.float32], table: int, number: int) -> list[Found]:
    """The nearest features of a table, the best first; of equal ones the one that comes first in the table.

    Args:
        query: (E,) of length 1.
        features: (N, E), each of length 1; may be mapped from a file.
        table: its number.
        number: how many.

    Raises:
        UserError: features in a file are not of length 1.
    """
    return heapq.nsmallest(number, _candidates(query, features, table, number))


def _candidates(query: NDArray[np.float32], features: NDArray[np.float32], table: int, number: int) -> Iterator[Found]:
    """The best of each block."""
    for start in range(0, len(features), BLOCK):
        scores = _block(features, start) @ query
        best = np.argsort(-scores, kind="stable")[:number]
        for place in best:
            yield Found(-float(scores[place]), table, start + int(place))


def _block(features: NDArray[np.float32], start: int) -> NDArray[np.float32]:
    """Some features, (BLOCK or fewer, E); of mapped ones read from the file, for pages that were seen stay mapped."""
    if not isinstance(features, np.memmap) or features.filename is None:
        return features[start : start + BLOCK]
    rows = min(BLOCK, len(features) - start)
    offset = features.offset + start * features.strides[0]
    read = np.fromfile(features.filename, features.dtype, rows * features.shape[1], offset=offset)
    block = np.asarray(read.reshape(rows, features.shape[1]), np.float32)
    lengths = np.sqrt(np.einsum("ne,ne->n", block, block))
    wrong = np.flatnonzero(~(np.abs(lengths - 1) <= LENGTH_ERROR))  # also those that are no numbers
    if len(wrong):
        raise UserError(
            f"{features.filename}: vector {start + int(wrong[0])} has the length {lengths[wrong[0]]:.4g}, and not 1. "
            "Delete the file, so that it is computed anew; if it comes out the same, the checkpoint's weights are at "
            "fault."
        )
    return block
