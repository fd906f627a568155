"""The towers of a whole CLIP or SigLIP: each makes one vector of its positions in its own way.

In: tokens, or pixels. Out: features, and of them the vector that the model projects into its joint space. A CLIP reads
a text up to its end and pools there, and norms an image's class position; a SigLIP was trained on texts that are padded
to their full length and read with their padding, and pools an image by attention.
CLIP: https://arxiv.org/abs/2103.00020; SigLIP: https://arxiv.org/abs/2303.15343.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from renaissance.data.batches.batch import Tokens
from renaissance.models.interface import Features
from renaissance.models.pretrained.joint_space import JointSpace
from renaissance.models.towers.image import VisionEncoder
from renaissance.models.towers.text import TextEncoder


class JointTextEncoder(TextEncoder):
    """The text encoder of a CLIP or SigLIP.

    Args:
        encoder: transformers' text model.
        joint_space: that of the whole model.
        pad_id: the padding token's number.
    """

    def __init__(self, encoder: PreTrainedModel, joint_space: JointSpace, pad_id: int) -> None:
        super().__init__(encoder)
        joint_space.remember(encoder.config)
        self.reads_padding = joint_space.family == "siglip"
        self.pad_id = pad_id

    def forward(self, tokens: Tokens) -> Features:
        """B texts to features (B, L, D); of a SigLIP, L is the longest text that it knows."""
        if not self.reads_padding:
            return super().forward(tokens)
        longest = self.encoder.config.max_position_embeddings
        ids = F.pad(
            tokens.ids.masked_fill(~tokens.mask, self.pad_id), (0, longest - tokens.ids.shape[1]), value=self.pad_id
        )
        hidden = self.encoder(input_ids=ids).last_hidden_state
        return Features(hidden, torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device))

    def pool(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """One vector a text (B, D) of its features (B, L, D) and their mask (B, L): that of the last position."""
        last = hidden[torch.arange(hidden.shape[0], device=hidden.device), mask.sum(dim=1) - 1]
        head: Any = getattr(self.encoder, "head", None)
        return last if head is None else head(last)

    def unreached(self, pooled: bool) -> list[nn.Module | nn.Parameter]:
        head = getattr(self.encoder, "head", None)
        return [*super().unreached(pooled), *([] if pooled or head is None else [head])]


class JointVisionEncoder(VisionEncoder):
    """The image encoder of a CLIP or SigLIP.

    Args:
        encoder: transformers' vision model.
        joint_space: that of the whole model.
        image_size: H = W, in pixels.
        patch_dropout: share of the patches that are left out in training.
    """

    def __init__(
        self, encoder: PreTrainedModel, joint_space: JointSpace, image_size: int, patch_dropout: float
    ) -> None:
        super().__init__(encoder, image_size, patch_dropout)
        joint_space.remember(encoder.config)

    def pool(self, hidden: Tensor) -> Tensor:
        """One vector an image (B, D) of its positions (B, P, D)."""
        encoder: Any = self.encoder
        head = getattr(encoder, "head", None)
        return encoder.post_layernorm(hidden[:, 0]) if head is None else head(hidden)

    def unreached(self, pooled: bool) -> list[nn.Module | nn.Parameter]:
        encoder: Any = self.encoder
        head = getattr(encoder, "head", None)
        return [*super().unreached(pooled), *([] if pooled else [encoder.post_layernorm if head is None else head])]
