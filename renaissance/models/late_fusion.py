"""The late-fusion model: a text tower and an image tower side by side, without a fuser.

    token ids -> text tower  -> one vector --+
                                             +-> joined -> linear, tanh -> pooled
    pixels    -> image tower -> one vector --+

In: `Tokens` and normalised pixels. Out: `Fused`, whose sequences are the towers' own: no position of one side has seen
the other. Only the pooled vectors meet. The map over both is what lets a linear head find text and image alike; on
vectors that merely stand side by side it could only add up what each says alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from renaissance.models.interface import ALL_OUTPUTS, Features, Fused, Output, Role, Sides
from renaissance.models.layers.initialise import initialise
from renaissance.models.towers.interface import ImageTower, TextTower
from renaissance.models.two_tower import TwoTower


class LateFusion(TwoTower):
    """
    Args:
        text_encoders: the text towers by the names of their parts; none for a model of images alone.
        image_encoder: the image tower; None for a model of texts alone.
        fused: whether a task reads both sides as one pooled vector.
        frozen: names of the parts that are not trained.
    """

    def __init__(
        self,
        text_encoders: Mapping[str, TextTower],
        image_encoder: ImageTower | None,
        fused: bool,
        frozen: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(text_encoders, image_encoder, fuser=None, fuser_size=0)
        self.pair_pooler: nn.Linear | None = None
        if fused and text_encoders and image_encoder:
            self.pooled_size = self.text_size + self.image_size
            self.pair_pooler = nn.Linear(self.pooled_size, self.pooled_size)
            initialise(self.pair_pooler)
        self.freeze(frozen)

    def fuse(self, text: Features | None, image: Features | None, outputs: frozenset[Output] = ALL_OUTPUTS) -> Fused:
        if text is None or image is None:
            return super().fuse(text, image, outputs)
        of_text, of_image = super().fuse(text, None, outputs), super().fuse(None, image, outputs)
        fused = Fused(text=of_text.text, image=of_image.image)
        if of_text.pooled is not None and of_image.pooled is not None:
            assert self.pair_pooler is not None
            fused.pooled = self.pair_pooler(torch.cat((of_text.pooled, of_image.pooled), dim=-1)).tanh()
        return fused

    def unreached(self, sides: Sides) -> list[nn.Module | nn.Parameter]:
        of_pairs = "pooled" in sides.outputs
        unread = [self.pair_pooler] if self.pair_pooler is not None and not of_pairs else []
        return [*self._unreached_in_towers(sides.pooled or of_pairs), *unread]

    def encoder_parts(self) -> dict[str, Role]:
        return {**super().encoder_parts(), "pair_pooler": "cross_modal"}
