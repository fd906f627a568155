"""A batch's examples in the space where texts and images are compared, as a step carries them from task to task."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from renaissance.tasks.common.contrastive_losses import stand_together


@dataclass(frozen=True)
class JointFeatures:
    """A batch's examples in the joint space, without gradients, for tasks that draw by similarity.

    Attributes:
        text: (B, E) the texts, of length 1.
        image: (B, E) the images, of length 1.
        text_id: (B,) long, equal for equal captions.
        image_id: (B,) long, equal for equal images.
        scale: what similarities are multiplied with before a softmax, a scalar.
    """

    text: Tensor
    image: Tensor
    text_id: Tensor
    image_id: Tensor
    scale: Tensor

    def logits_of_false(self) -> Tensor:
        """(B, B) scaled similarities of texts with images; minus infinity where text and image belong together."""
        logits = self.scale * self.text @ self.image.T
        return logits.masked_fill(stand_together(self.text_id, self.image_id), -torch.inf)
