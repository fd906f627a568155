"""Hard false pairs for image-text matching: partners that the joint space takes for alike, as ALBEF draws them.

Which pairs are to be false, and of which the image rather than the text, is drawn with the batch, as is one number for
each from 0 to 1. The partner follows from that number when the step has its features: among the texts, or images, of
the micro-batch, in proportion to the softmax of their scaled similarities. What belongs together is never drawn.

Source: ALBEF, Li et al., 2021, https://arxiv.org/abs/2107.07651, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.fetch import Fetch
from renaissance.tasks.common.joint_features import JointFeatures


@dataclass(frozen=True)
class DrawHardPairs:
    """Which pairs of a batch get a false partner, and what draws it (a `Collate`).

    Attributes:
        false_image: false images a true pair.
        false_text: false texts a true pair.
    """

    false_image: int
    false_text: int

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Draw what `hard_pairs` makes pairs of.

        Args:
            batch: B examples.
            fetch: not used.
            streams: B generators, one an example.

        Returns:
            "false": (B,) bool, the pair is to be a false one; "swap_image": (B,) bool, by another image rather than
            another text; "number": (B,) float from 0 to 1, which draws it.
        """
        false = self.false_image + self.false_text
        drawn = np.array([stream.random(3) for stream in streams])
        return {
            "false": torch.from_numpy(drawn[:, 0] * (1 + false) >= 1),
            "swap_image": torch.from_numpy(drawn[:, 1] * false < self.false_image),
            "number": torch.from_numpy(drawn[:, 2]),
        }


def hard_pairs(drawn: Mapping[str, Tensor], joint: JointFeatures) -> dict[str, Tensor]:
    """The pairs of a batch, their false partners drawn in proportion to their similarity.

    Args:
        drawn: what `DrawHardPairs` gave.
        joint: the batch in the joint space.

    Returns:
        "text_row" and "image_row": (B,) long, where each pair's text and image lie in the batch; "label": (B,) long, 1
        for a true pair, which also one stays that belongs to everything in the batch.
    """
    logits = joint.logits_of_false()
    logits = torch.where(drawn["swap_image"][:, None], logits, logits.T)  # (B, B) of each pair's candidates
    false = drawn["false"] & logits.isfinite().any(dim=1)
    partner = _drawn(logits, drawn["number"])
    rows = torch.arange(len(logits), device=logits.device)
    return {
        "text_row": torch.where(false & ~drawn["swap_image"], partner, rows),
        "image_row": torch.where(false & drawn["swap_image"], partner, rows),
        "label": (~false).long(),
    }


def _drawn(logits: Tensor, number: Tensor) -> Tensor:
    """For each row (B,) a column, in proportion to the softmax of its logits (B, C), by a number from 0 to 1."""
    shares = logits.double().softmax(dim=1).cumsum(dim=1)
    total = shares[:, -1:].contiguous()
    drawn = torch.searchsorted(shares, number.double()[:, None] * total, right=True)
    last = torch.searchsorted(shares, total)  # that may be drawn: rounding does not lead beyond it
    return torch.minimum(drawn, last).squeeze(1).clamp(max=logits.shape[1] - 1)
