"""Classification of a statement about two images, such as whether it is true of the pair.

The statement is fused with each of the two images, and the head reads both pooled vectors side by side.

Source: UNITER's pair-biencoder, Chen et al., 2020, https://arxiv.org/abs/1909.11740, section 4.1; METER, ViLT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import Collate
from renaissance.data.batches.fetch import Fetch
from renaissance.data.text.processor import TextProcessor
from renaissance.settings.schema import ModelAndTaskSettings
from renaissance.tasks.behaviours.classification import ClassificationTask
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.targets import ClassTargets
from renaissance.tasks.common.task import TaskContext
from renaissance.tasks.declaration import TaskDeclaration


@dataclass(frozen=True)
class SecondImages:
    """Fetches the second image of each example (a `Collate`).

    Attributes:
        column: where it is, by the name that tasks use.
    """

    column: str = "second_image"

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Fetch the images and read the classes.

        Args:
            batch: B examples.
            fetch: asks for the images.
            streams: not used.

        Returns:
            "second": (B,) long, the rows of the second images; "target": (B,) long, the classes.
        """
        rows = [fetch.image(index, self.column) for index in batch.index.tolist()]
        return {"second": torch.tensor(rows), **ClassTargets()(batch, fetch, streams)}


class TwoImagesTask(ClassificationTask):
    """Cross-entropy over C classes on the pooled features of a text with each of two images."""

    def _pooled_size(self, context: TaskContext) -> int:
        return 2 * context.model.pooled_size

    @classmethod
    def collate(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None, training: bool
    ) -> Collate:
        return SecondImages()

    def logits(self, step: Step) -> Tensor:
        collated, examples = step.batch.collated.get(self.name), step.batch.examples
        rows = torch.arange(examples, 2 * examples, device=step.batch.index.device)
        second = step.all_images.select(rows if collated is None else collated["second"])
        pooled = [step.fuse(step.text, image, frozenset(("pooled",))).pooled for image in (step.image, second)]
        logits: Tensor = self.head(torch.cat([one for one in pooled if one is not None], dim=-1))
        return logits
