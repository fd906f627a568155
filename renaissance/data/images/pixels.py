"""The part of the image pipeline that runs on the device: RandAugment where it was drawn, then normalisation."""

from __future__ import annotations

from torch import Tensor, nn

from renaissance.data.batches.batch import Batch
from renaissance.data.images.augment import RandAugment
from renaissance.data.images.transform import ImageStatistics, Normalise


class Pixels(nn.Module):
    """A batch's uint8 pixels as the image encoder takes them.

    Args:
        statistics: the mean and standard deviation that the encoder expects.
        magnitude: the strength of RandAugment's operations.
    """

    def __init__(self, statistics: ImageStatistics, magnitude: int) -> None:
        super().__init__()
        self.normalise = Normalise(statistics)
        self.randaugment = RandAugment(magnitude)

    def forward(self, batch: Batch) -> Tensor:
        """The batch's images, normalised: (N, 3, H, W) float."""
        assert batch.pixels is not None
        pixels = self.randaugment(batch.pixels, batch.randaugment) if batch.randaugment else batch.pixels
        normalised: Tensor = self.normalise(pixels)
        return normalised
