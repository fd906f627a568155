"""Which examples an epoch of training has, where not every one: data sets with weights, one caption an image.

In: where each data set's examples lie, its weight, and the probabilities of captions. Out: the numbers of an epoch's
examples, which follow from the seed and the epoch alone, so a resumed run takes the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renaissance.data.streams import stream

_BELOW_ONE = 1 - 2**-20  # a row's number and a random number below this stay below the next row's, as float64


class CaptionDraw:
    """Draws one caption of each image.

    Args:
        counts: captions of each image (R,), at least 1.
        probabilities: of each caption (T,), any scale; an image's are not all 0.
    """

    def __init__(self, counts: NDArray[np.integer], probabilities: NDArray[np.floating]) -> None:
        starts = np.cumsum(counts) - counts
        row = np.repeat(np.arange(len(counts)), counts)
        totals = np.add.reduceat(probabilities, starts, dtype=np.float64)
        shares = np.cumsum(probabilities / totals[row], dtype=np.float64)
        before = (shares - probabilities / totals[row])[starts][row]
        # Of each caption, the image's number plus the probability of the captions up to it: exactly 1 at the last.
        self._upto = row + np.minimum(shares - before, 1)
        reached = np.flatnonzero(probabilities > 0)
        last = reached[np.flatnonzero(np.diff(row[reached], append=len(counts)))]
        self._upto[last] = row[last] + 1
        self._upto = np.maximum.accumulate(self._upto)

    def __call__(self, rows: NDArray[np.integer], seed: int, epoch: int) -> NDArray[np.int64]:
        """The number of a caption for each of some images (N,), the same whatever other images are asked for.

        Args:
            rows: the images' numbers (N,).
            seed: of the draw.
            epoch: of the draw.
        """
        places = stream(seed, epoch, 0, "captions").random(int(rows.max(initial=-1)) + 1)
        return np.searchsorted(self._upto, rows + places[rows] * _BELOW_ONE, side="right").astype(np.int64)


@dataclass(frozen=True)
class Share:
    """What an epoch takes of a data set.

    Attributes:
        name: the data set's.
        size: its examples, or its images where one caption of each is drawn.
        taken: how many of them an epoch has, each once; the next epoch goes on behind them.
    """

    name: str
    size: int
    taken: int


class Selection:
    """The examples of each epoch.

    Of a data set whose weight is the largest, an epoch has every example; of another that many fewer, in a random
    order that goes on in the next epoch where it stopped, so that all of them come up equally often.

    Args:
        sizes: of each data set, in the order of their examples, the number of those.
        weights: how often an example of it is seen, compared with those of the others; 1 where it says nothing.
        seed: of the draws.
        draw: draws a caption of each image, where the sizes are numbers of images.

    Attributes:
        shares: what an epoch takes of each data set.
    """

    def __init__(
        self, sizes: Mapping[str, int], weights: Mapping[str, float], seed: int, draw: CaptionDraw | None = None
    ) -> None:
        largest = max(weights.get(name, 1.0) for name in sizes)
        self.shares = [
            Share(name, size, min(size, max(1, round(size * weights.get(name, 1.0) / largest))))
            for name, size in sizes.items()
            if size
        ]
        self._seed = seed
        self._draw = draw

    @property
    def draws_captions(self) -> bool:
        """Whether one caption of each image is drawn."""
        return self._draw is not None

    def __len__(self) -> int:
        """Examples an epoch."""
        return sum(share.taken for share in self.shares)

    def of_epoch(self, epoch: int) -> NDArray[np.integer]:
        """The numbers of an epoch's examples (N,), data set by data set."""
        found, start = [], 0
        for share in self.shares:
            found.append(start + self._taken(share, epoch))
            start += share.size
        numbers = np.concatenate(found)
        return numbers if self._draw is None else self._draw(numbers, self._seed, epoch)

    def _taken(self, share: Share, epoch: int) -> NDArray[np.int64]:
        """The numbers in a data set of what an epoch takes of it."""
        if share.taken == share.size:
            return np.arange(share.size)
        order = stream(self._seed, 0, 0, f"share of {share.name}").permutation(share.size)
        return order[(epoch * share.taken + np.arange(share.taken)) % share.size]


def probabilities_of(
    rows: NDArray[np.integer], sources: NDArray[np.integer], weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The probability of each caption, before those of an image are made to add up to 1.

    A source's weight is shared by an image's captions of it: whether an image has one such caption or five, the source
    is drawn as often.

    Args:
        rows: the image that each caption belongs to (T,).
        sources: the number of the source that it comes from (T,).
        weights: of the sources (S,).
    """
    pairs = rows * len(weights) + sources
    return weights[sources] / np.bincount(pairs)[pairs]
