"""The two-tower model: a text tower and an image tower, and a cross-modal encoder over both.

    token ids -> text tower  -> projection --+
                                             +-> cross-modal layers -> text, image, pooled
    pixels    -> image tower -> projection --+

In: `Tokens` and normalised pixels. Out: `Fused`. Only the sides a run's tasks use are there; with one side alone
there is no fuser, and the tower's own features are handed out. Several text towers read the same tokens, and their
features of a token are joined, one behind the other.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from renaissance.data.batches.batch import Tokens
from renaissance.models.fusion.fuser import CrossModalEncoder
from renaissance.models.interface import ALL_OUTPUTS, Features, Fused, Output, Role, Sides, VisionLanguageEncoder
from renaissance.models.layers.projection import Projection
from renaissance.models.towers.interface import ImageTower, TextTower


class TwoTower(VisionLanguageEncoder):
    """
    Args:
        text_encoders: the text towers by the names of their parts; none for a model of images alone.
        image_encoder: the image tower; None for a model of texts alone.
        fuser: the cross-modal encoder; None unless both towers are there.
        fuser_size: D, the fuser's width.
        frozen: names of the parts that are not trained.
    """

    def __init__(
        self,
        text_encoders: Mapping[str, TextTower],
        image_encoder: ImageTower | None,
        fuser: CrossModalEncoder | None,
        fuser_size: int,
        frozen: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__()
        self.text_parts = tuple(text_encoders)
        self.text_encoder: TextTower | None = None  # the only one
        for name, tower in text_encoders.items():
            setattr(self, name, tower)
        self.image_encoder = image_encoder
        self.image_positions = image_encoder.positions if image_encoder else None
        self.text_projection: Projection | None = None
        self.image_projection: Projection | None = None
        self.fuser = fuser
        self.text_size = sum(tower.hidden_size for tower in text_encoders.values())
        self.image_size = image_encoder.hidden_size if image_encoder else 0
        self.hidden_size = self.pooled_size = 0
        if text_encoders and image_encoder and fuser:
            self.text_projection = Projection(self.text_size, fuser_size)
            self.image_projection = Projection(image_encoder.hidden_size, fuser_size)
            self.hidden_size, self.pooled_size = fuser_size, 2 * fuser_size
        self.freeze(frozen)

    def encode_text(self, tokens: Tokens) -> Features:
        features: list[Features] = []
        for name in self.text_parts:
            with self.gradients_unless_frozen(name):
                features.append(self.get_submodule(name)(tokens))
        if len(features) == 1:
            return features[0]
        return Features(torch.cat([one.hidden for one in features], dim=-1), tokens.mask)

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
            fused.image = image.hidden if "image" in outputs else None
            fused.pooled = self.pool_image(image.hidden) if "pooled" in outputs else None
        return fused

    def unreached(self, sides: Sides) -> list[nn.Module | nn.Parameter]:
        of_fuser = self.fuser.unreached(sides.outputs) if self.fuser else []
        return [*self._unreached_in_towers(sides.pooled), *of_fuser]

    def _unreached_in_towers(self, pooled: bool) -> list[nn.Module | nn.Parameter]:
        """What of the towers is not reached.

        Args:
            pooled: a tower's positions become one vector.
        """
        towers = [part.module for part in self.parts() if part.role == "tower"]
        return [one for tower in towers if isinstance(tower, TextTower | ImageTower) for one in tower.unreached(pooled)]

    def encoder_parts(self) -> dict[str, Role]:
        return {
            **dict.fromkeys(self.text_parts, "tower"),
            "image_encoder": "tower",
            "text_projection": "cross_modal",
            "image_projection": "cross_modal",
            "fuser": "cross_modal",
        }
