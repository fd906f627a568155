"""Our own text encoder: a pre-norm transformer (https://arxiv.org/abs/2002.04745) with optional local attention.

In: token numbers (B, L) and their mask. Out: one vector a token (B, L, D). With a window every token sees the
`window_size` tokens around it, half of them on each side, so that the cost grows with L and not with its square
(https://arxiv.org/abs/2004.05150).

It is a Hugging Face model, registered with transformers under `MODEL_TYPE`, and so is saved, loaded, resized and
frozen as every other encoder is. Attention weights have no dropout (see `layers/attention.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from renaissance.models.layers.attention import attend, band_mask, split_heads, square_band_mask
from renaissance.models.layers.dropout import Dropout

MODEL_TYPE = "renaissance_transformer"


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
        query, key, value = split_heads(self.projection(self.attention_norm(hidden)), 3, self.num_heads)
        hidden = hidden + self.dropout(self.output(attend(query, key, value, mask, module=self).flatten(2)))
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
        if window is not None and torch.jit.is_tracing():  # export to ONNX: one path for every length
            mask = square_band_mask(attention_mask, window // 2)
        elif window is None or window // 2 >= length - 1:
            mask = attention_mask[:, None, None]
        else:
            mask = band_mask(attention_mask, window // 2)
        for layer in self.layers:
            hidden = layer(hidden, mask)
        return BaseModelOutput(last_hidden_state=self.norm(hidden))


AutoConfig.register(MODEL_TYPE, TransformerConfig)
AutoModel.register(TransformerConfig, TransformerEncoder)
