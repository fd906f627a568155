"""The one-tower model: a single transformer over words and patches together (ViLT, https://arxiv.org/abs/2102.03334).

    token ids -> word embeddings  + type --+
                                           +-> transformer layers -> text, image, pooled
    pixels    -> patch embeddings + type --+

In: `Tokens` and normalised pixels. Out: `Fused`. The transformer is a text or a vision encoder, pretrained or not; the
embeddings of the modality that it does not know are new. `encode_*` are the embeddings, `fuse` is the transformer.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from renaissance.data.batches.batch import Tokens
from renaissance.models.image_positions import ImagePositions
from renaissance.models.interface import ALL_OUTPUTS, Features, Fused, Output, Role, Sides, VisionLanguageEncoder
from renaissance.models.layers.initialise import initialise
from renaissance.models.patch_dropout import PatchDropout
from renaissance.models.towers.image import mask_tokens
from renaissance.models.towers.joint import JointTransformer

TEXT, IMAGE = 0, 1  # rows of the modality type embeddings


class WordEmbeddings(nn.Module):
    """Words for a vision encoder, the way BERT embeds them: word + position, norm, dropout.

    Args:
        vocab_size: V.
        max_text_len: positions.
        size: D.
        pad_id: the padding token's number.
        drop_rate: dropout.
    """

    def __init__(self, vocab_size: int, max_text_len: int, size: int, pad_id: int, drop_rate: float) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, size, padding_idx=pad_id)
        self.position_embeddings = nn.Embedding(max_text_len, size)
        self.norm = nn.LayerNorm(size, eps=1e-12)
        self.dropout = nn.Dropout(drop_rate)
        initialise(self)

    def forward(self, tokens: Tokens) -> Tensor:
        """B texts to (B, L, D)."""
        positions = self.position_embeddings.weight[: tokens.ids.shape[1]]
        return self.dropout(self.norm(self.word_embeddings(tokens.ids) + positions))


class PatchEmbeddings(nn.Module):
    """Patches for a text encoder: a class position and a linear map of each patch, + position, norm, dropout.

    Args:
        image_size: pixels on a side of the image, a multiple of `patch_size`.
        patch_size: pixels on a side of a patch.
        size: D.
        drop_rate: dropout.
    """

    positions = ImagePositions(has_class=True, before=1)

    def __init__(self, image_size: int, patch_size: int, size: int, drop_rate: float) -> None:
        super().__init__()
        grid = image_size // patch_size
        self.projection = nn.Conv2d(3, size, kernel_size=patch_size, stride=patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size))
        self.position_embeddings = nn.Parameter(torch.empty(1, grid * grid + 1, size))
        self.norm = nn.LayerNorm(size, eps=1e-12)
        self.dropout = nn.Dropout(drop_rate)
        initialise(self)
        nn.init.trunc_normal_(self.position_embeddings, std=0.02)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, P, D)."""
        patches = self.projection(pixels).flatten(2).transpose(1, 2)
        hidden = torch.cat((self.cls_token.expand(pixels.shape[0], -1, -1), patches), dim=1)
        return self.dropout(self.norm(hidden + self.position_embeddings))


class OneTower(VisionLanguageEncoder):
    """
    Args:
        encoder: the transformer.
        text_embeddings: words, when `encoder` has none and texts are wanted.
        image_embeddings: patches, when `encoder` has none and images are wanted.
        sides: whether texts are wanted, images, and both together.
        pooler_type: "single" pools the first position, which is the text's class position; "double" joins it with
            the image's class position.
        frozen: names of the parts that are not trained.
        patch_dropout: share of an image's patches that are left out in training.
    """

    def __init__(
        self,
        encoder: JointTransformer,
        text_embeddings: WordEmbeddings | None,
        image_embeddings: PatchEmbeddings | None,
        *,
        sides: Sides,
        pooler_type: Literal["single", "double"],
        frozen: frozenset[str] = frozenset(),
        patch_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        size = encoder.hidden_size
        self.encoder = encoder
        self.text_embeddings = text_embeddings
        self.image_embeddings = image_embeddings
        if sides.image:
            self.image_positions = encoder.image_positions if image_embeddings is None else image_embeddings.positions
        self.type_embeddings = nn.Embedding(2, size)
        initialise(self.type_embeddings)
        self.pools_both = pooler_type == "double"
        self.text_size, self.image_size = size * sides.text, size * sides.image
        self.hidden_size = self.pooled_size = 0
        self.pooler: nn.Linear | None = None
        if sides.fused:
            self.hidden_size, self.pooled_size = size, size * (1 + self.pools_both)
            self.pooler = nn.Linear(self.pooled_size, self.pooled_size)
            initialise(self.pooler)
        if not (sides.image if encoder.sees_images else sides.text):
            encoder.drop_embeddings()
        before = self.image_positions.before if self.image_positions else 0
        self.patch_dropout = PatchDropout(patch_dropout, before)
        if patch_dropout and sides.image and encoder.sees_images:
            encoder.check_takes_some_patches(before)
        self.freeze(frozen)

    def encode_text(self, tokens: Tokens) -> Features:
        embed = self.encoder.embed_text if self.text_embeddings is None else self.text_embeddings
        return Features(embed(tokens) + self.type_embeddings.weight[TEXT], tokens.mask)

    def encode_image(self, pixels: Tensor) -> Features:
        embed = self.encoder.embed_image if self.image_embeddings is None else self.image_embeddings
        hidden = self.patch_dropout(embed(pixels) + self.type_embeddings.weight[IMAGE])
        return Features(hidden, torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device))

    def fuse(self, text: Features | None, image: Features | None, outputs: frozenset[Output] = ALL_OUTPUTS) -> Fused:
        given = [features for features in (text, image) if features is not None]
        mask = None if text is None else torch.cat([features.mask for features in given], dim=1)
        image_positions = 0 if image is None else image.hidden.shape[1]
        hidden = self.encoder(torch.cat([features.hidden for features in given], dim=1), mask, image_positions)
        split = hidden.shape[1] - image_positions
        text_hidden = None if text is None else hidden[:, :split]
        image_hidden = None if image is None else hidden[:, split:]
        return Fused(
            text=text_hidden if "text" in outputs else None,
            image=image_hidden if "image" in outputs else None,
            pooled=self._pool(text_hidden, image_hidden, mask) if "pooled" in outputs else None,
        )

    def _pool(self, text: Tensor | None, image: Tensor | None, mask: Tensor | None) -> Tensor:
        """(B, `pooled_size`) of a pair, by the class positions; of one modality (B, D), by its pooling."""
        if image is None:
            assert text is not None
            assert mask is not None
            return self.pool_text(text, mask)
        if text is None:
            return self.pool_image(image)
        assert self.pooler is not None
        assert self.image_positions is not None
        image_class = self.image_positions.pool(image, "cls")
        pooled = torch.cat((text[:, 0], image_class), dim=-1) if self.pools_both else text[:, 0]
        return self.pooler(pooled).tanh()

    def unreached(self, sides: Sides) -> list[nn.Module | nn.Parameter]:
        poolers = [self.pooler] if self.pooler is not None and "pooled" not in sides.outputs else []
        return [*mask_tokens(self.encoder), *poolers]

    def encoder_parts(self) -> dict[str, Role]:
        return {
            "encoder": "tower",
            "text_embeddings": "cross_modal",
            "image_embeddings": "cross_modal",
            "type_embeddings": "cross_modal",
            "pooler": "cross_modal",
        }
