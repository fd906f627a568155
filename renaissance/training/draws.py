"""What is drawn for a training batch as a whole: the seed of dropout, mixing, and who loses a modality.

Comes in: the batch's number and its process. Goes out: draws that follow from these and the run's seed alone, so a
batch gets the same ones however the run came to it, and as often as it is computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from renaissance.data.batches.batch import Batch
from renaissance.data.streams import stream
from renaissance.models.fusion.mixing import Mixing
from renaissance.models.fusion.modality_dropout import ModalityDropout
from renaissance.settings.schema import StepSettings


@dataclass(frozen=True)
class BatchDraws:
    """The draws of one training batch.

    Attributes:
        settings: the run's.
        number: the batch's, counted over the whole training of its process.
        rank: the process's number.
    """

    settings: StepSettings
    number: int
    rank: int

    def seed_dropout(self) -> None:
        """Let dropout begin where it does for this batch."""
        address = [self.settings.seed, self.number, self.rank]
        torch.manual_seed(int(np.random.SeedSequence(address).generate_state(1, np.uint64)[0] >> 1))

    def mixing(self, batch: Batch) -> Mixing | None:
        """How its examples are mixed, on their device; None where they are not."""
        alpha = self.settings.mixing_alpha
        return Mixing.draw(alpha, batch.examples, self._stream("mixing")).to(batch.index.device) if alpha else None

    def modality_dropout(self, batch: Batch) -> ModalityDropout | None:
        """Which examples lose a modality, on their device; None where none does."""
        rates = self.settings.text_modality_dropout, self.settings.image_modality_dropout
        if not any(rates):
            return None
        drawn = ModalityDropout.draw(*rates, batch.examples, self._stream("modality dropout"))
        return drawn.to(batch.index.device)

    def _stream(self, purpose: str) -> np.random.Generator:
        return stream(self.settings.seed, self.number, self.rank, purpose)
