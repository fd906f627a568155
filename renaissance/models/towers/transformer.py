"""Our own text encoder: a pre-norm transformer (https://arxiv.org/abs/2002.04745) with optional local attention.

In: token numbers (B, L) and their mask. Out: one vector a token (B, L, D). With a window every token sees the
`window_size` tokens around it, half of them on each side, so that the cost grows with L and not with its square
(https://arxiv.org/abs/2004.05150). The sequence is cut into blocks; the queries of a block attend to the keys of
their own and the two neighbouring blocks through PyTorch's fused attention, under a mask that is the exact band.

It is a Hugging Face model, registered with transformers under `MODEL_TYPE`, and so is saved, loaded, resized and
frozen as every other encoder is. As in `fuser`, attention weights have no dropout, so that the fused kernel can run.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from renaissance.models.layers.dropout import Dropout

MODEL_TYPE = "renaissance_transformer"
SMALLEST_BLOCK = 64  # tokens: smaller matrices keep no kernel busy


class TransformerConfig(PreTrainedConfig):
    """The dimensions of a `TransformerEncoder`, under the names that transformers' text encoders give them.

    Attributes:
        window_size: tokens around it that a token sees, half of them on each side; None for all.
        embedding_size: width of the token embeddings before they are projected to `hidden_size`.
    """

    model_type = MODEL_TYPE

    vocab_size: int = 30522
    hidden_size: int = 192
    num_hidden_layers: int = 12
    num_attention_heads: int = 4
    intermediate_size: int = 768
    embedding_size: int = 192
    hidden_dropout_prob: float | int = 0.1
    max_position_embeddings: int = 512
    window_size: int | None = None
    pad_token_id: int | None = 0
    initializer_range: float = 0.02


class Layer(nn.Module):
    """Self-attention and feed-forward, each behind a norm and added to what comes in.

    Args:
        config: the dimensions.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.num_heads = config.num_attention_heads
        self.attention_norm = nn.LayerNorm(size)
        self.projection = nn.Linear(size, 3 * size)  # rows: queries, keys, values
        self.output = nn.Linear(size, size)
        self.feed_forward_norm = nn.LayerNorm(size)
        self.inner = nn.Linear(size, config.intermediate_size)
        self.outer = nn.Linear(config.intermediate_size, size)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D).

        Args:
            hidden: (B, L, D).
            mask: (B, 1, 1, L) bool for full attention, or `band_mask`'s for local attention.
        """
        heads = self.projection(self.attention_norm(hidden)).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = heads.unbind(2)  # of (B, L, 3, H, D / H)
        attend = full_attention if mask.dim() == 4 else local_attention
        hidden = hidden + self.dropout(self.output(attend(query, key, value, mask).flatten(2)))
        inner = F.gelu(self.inner(self.feed_forward_norm(hidden)))
        return hidden + self.dropout(self.outer(inner))


class TransformerEncoder(PreTrainedModel):
    """Word and position embeddings, layers, and a norm.

    Args:
        config: the dimensions.
    """

    config_class = TransformerConfig
    config: TransformerConfig
    main_input_name = "input_ids"
    _supports_sdpa = True

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        size, embedding_size = config.hidden_size, config.embedding_size
        self.word_embeddings = nn.Embedding(config.vocab_size, embedding_size, padding_idx=config.pad_token_id)
        self.widening = nn.Identity() if size == embedding_size else nn.Linear(embedding_size, size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, size)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.layers = nn.ModuleList([Layer(config) for _ in range(config.num_hidden_layers)])
        self.norm = nn.LayerNorm(size)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The word embeddings."""
        return self.word_embeddings

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> BaseModelOutput:
        """Features (B, L, D) of token numbers (B, L) with their mask (B, L); what stands at padding has no meaning."""
        length, window = input_ids.shape[1], self.config.window_size
        positions = self.position_embeddings.weight[:length]
        hidden = self.dropout(self.widening(self.word_embeddings(input_ids)) + positions)
        attention_mask = attention_mask.bool()
        if window is None or window // 2 >= length - 1:
            mask = attention_mask[:, None, None]
        else:
            mask = band_mask(attention_mask, window // 2)
        for layer in self.layers:
            hidden = layer(hidden, mask)
        return BaseModelOutput(last_hidden_state=self.norm(hidden))


def full_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Every token attends to every token: (B, L, H, D / H) to (B, L, H, D / H) under a mask (B, 1, 1, L)."""
    query, key, value = (heads.transpose(1, 2) for heads in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2)


def local_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Every token attends to its neighbours.

    Args:
        query: (B, L, H, D / H).
        key: likewise.
        value: likewise.
        mask: (B, N, 1, S, 3 S) bool of `band_mask`: N blocks of S queries, whose keys are those of three blocks.

    Returns:
        (B, L, H, D / H).
    """
    batch, length = query.shape[:2]
    blocks, size = mask.shape[1], mask.shape[3]
    missing = blocks * size - length
    query = F.pad(query, (0, 0, 0, 0, 0, missing)).unflatten(1, (blocks, size))
    key, value = (_with_neighbours(heads, missing, size) for heads in (key, value))
    query, key, value = (heads.flatten(0, 1).transpose(1, 2) for heads in (query, key, value))  # (B N, H, S or 3 S, d)
    found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask.flatten(0, 1))
    return found.transpose(1, 2).reshape(batch, blocks * size, *found.shape[1::2])[:, :length]


def _with_neighbours(heads: Tensor, missing: int, size: int) -> Tensor:
    """(B, L, H, d) to (B, N, 3 S, H, d): each block of S tokens between the one before it and the one behind it."""
    padded = F.pad(heads, (0, 0, 0, 0, size, missing + size)).unflatten(1, (-1, size))
    return torch.cat((padded[:, :-2], padded[:, 1:-1], padded[:, 2:]), dim=2)


def band_mask(mask: Tensor, reach: int) -> Tensor:
    """Which keys the queries of each block see.

    A query sees itself even at padding: a row that sees nothing would be no number, and its gradient neither.

    Args:
        mask: (B, L) bool, True at tokens.
        reach: tokens that a token sees on each side.

    Returns:
        (B, N, 1, S, 3 S) bool: N blocks of S queries, and the keys of the block before, their own, and the next.
    """
    size = max(SMALLEST_BLOCK, -(-reach // 8) * 8)  # a multiple of 8, which GPU kernels want of a mask
    missing = -mask.shape[1] % size
    tokens = F.pad(mask, (size, missing + size)).unfold(1, 3 * size, size)  # (B, N, 3 S)
    queries = torch.arange(size, 2 * size, device=mask.device)[:, None]
    distance = (torch.arange(3 * size, device=mask.device) - queries).abs()
    return ((tokens[:, :, None] & (distance <= reach)) | (distance == 0))[:, :, None]


AutoConfig.register(MODEL_TYPE, TransformerConfig)
AutoModel.register(TransformerConfig, TransformerEncoder)
