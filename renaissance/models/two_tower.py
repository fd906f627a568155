"""The two-tower model: a text tower and an image tower, and a cross-modal encoder over both.

    token ids -> text tower  -> projection --+
                                             +-> cross-modal layers -> text, image, pooled
    pixels    -> image tower -> projection --+

In: `Tokens` and normalised pixels. Out: `Fused`. Only the sides a run's tasks use are there; with one side alone
there is no fuser, and the tower's own features are handed out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from renaissance.data.batch import Tokens
from renaissance.models.fuser import CrossModalEncoder
from renaissance.models.initialise import STANDARD_DEVIATION, initialise
from renaissance.models.interface import ALL_OUTPUTS, Features, Fused, Output, Part, VisionLanguageEncoder
from renaissance.models.sources import config_to_dict
from renaissance.models.text import TextEncoder
from renaissance.models.vision import VisionEncoder


class Projection(nn.Module):
    """A tower's features brought to the fuser's width, with a vector that says which modality they are.

    Args:
        tower_size: width of the tower.
        size: D, width of the fuser.
    """

    def __init__(self, tower_size: int, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(tower_size, size)
        self.modality = nn.Parameter(torch.empty(size))
        initialise(self)
        nn.init.normal_(self.modality, std=STANDARD_DEVIATION)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, N, `tower_size`) to (B, N, D)."""
        return self.linear(hidden) + self.modality


class TwoTower(VisionLanguageEncoder):
    """
    Args:
        text_encoder: the text tower; None for a model of images alone.
        image_encoder: the image tower; None for a model of texts alone.
        fuser: the cross-modal encoder; None unless both towers are there.
        fuser_size: D, the fuser's width.
        frozen: names of the parts that are not trained.
    """

    def __init__(
        self,
        text_encoder: TextEncoder | None,
        image_encoder: VisionEncoder | None,
        fuser: CrossModalEncoder | None,
        fuser_size: int,
        frozen: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.image_encoder = image_encoder
        self.text_projection: Projection | None = None
        self.image_projection: Projection | None = None
        self.fuser = fuser
        self.text_size = text_encoder.hidden_size if text_encoder else 0
        self.image_size = image_encoder.hidden_size if image_encoder else 0
        self.hidden_size = self.pooled_size = 0
        if text_encoder and image_encoder and fuser:
            self.text_projection = Projection(text_encoder.hidden_size, fuser_size)
            self.image_projection = Projection(image_encoder.hidden_size, fuser_size)
            self.hidden_size, self.pooled_size = fuser_size, 2 * fuser_size
        self.freeze(frozen)

    def encode_text(self, tokens: Tokens) -> Features:
        assert self.text_encoder is not None
        with self.gradients_unless_frozen("text_encoder"):
            return self.text_encoder(tokens)

    def encode_image(self, pixels: Tensor) -> Features:
        assert self.image_encoder is not None
        with self.gradients_unless_frozen("image_encoder"):
            return self.image_encoder(pixels)

    def fuse(self, text: Features | None, image: Features | None, outputs: frozenset[Output] = ALL_OUTPUTS) -> Fused:
        if text is None or image is None:
            return self._one_modality(text, image, outputs)
        assert self.fuser is not None
        assert self.text_projection is not None
        assert self.image_projection is not None
        return self.fuser(
            self.text_projection(text.hidden),
            self.image_projection(image.hidden),
            text_mask=text.mask,
            image_mask=None,  # images are never padded, and without a mask attention takes its fastest kernel
            outputs=outputs,
        )

    def _one_modality(self, text: Features | None, image: Features | None, outputs: frozenset[Output]) -> Fused:
        fused = Fused()
        if text is not None:
            fused.text = text.hidden if "text" in outputs else None
            fused.pooled = self.pool_text(text.hidden, text.mask) if "pooled" in outputs else None
        elif image is not None:
            assert self.image_encoder is not None
            fused.image = image.hidden if "image" in outputs else None
            fused.pooled = self.image_encoder.summary(image) if "pooled" in outputs else None
        return fused

    def parts(self) -> list[Part]:
        return self.list_parts(
            {
                "text_encoder": "tower",
                "image_encoder": "tower",
                "text_projection": "cross_modal",
                "image_projection": "cross_modal",
                "fuser": "cross_modal",
            }
        )

    def encoder_configs(self) -> dict[str, Any]:
        towers = {"text_encoder": self.text_encoder, "image_encoder": self.image_encoder}
        return {name: config_to_dict(tower.encoder.config) for name, tower in towers.items() if tower is not None}
