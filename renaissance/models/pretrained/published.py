"""The published dimensions of well-known encoders and decoders, so that a randomly initialised one needs no hub.

In: a name as in `text_encoder`, `image_encoder`, `encoder` or `decoder`. Out: the Hugging Face configuration as a plain
dict, as the hub's `config.json` has it (only what matters for building: what it leaves out is transformers' default).
"""

from __future__ import annotations

from typing import Any


def _bert(hidden: int, layers: int, heads: int) -> dict[str, Any]:
    """A BERT over the 30,522 uncased word pieces (https://arxiv.org/abs/1810.04805)."""
    return {
        "model_type": "bert",
        "vocab_size": 30522,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
        "max_position_embeddings": 512,
        "pad_token_id": 0,
    }


def _electra(embedding: int, hidden: int, heads: int) -> dict[str, Any]:
    """An ELECTRA discriminator (https://arxiv.org/abs/2003.10555)."""
    return {
        **_bert(hidden, 12, heads),
        "model_type": "electra",
        "embedding_size": embedding,
    }


def _vit(hidden: int, heads: int) -> dict[str, Any]:
    """A ViT with 16-pixel patches (https://arxiv.org/abs/2010.11929).

    The hub's `facebook/deit-*-patch16-224` (https://arxiv.org/abs/2012.12877) are ViTs too: they are the ones trained
    without the distillation token.
    """
    return {
        "model_type": "vit",
        "hidden_size": hidden,
        "num_hidden_layers": 12,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
        "image_size": 224,
        "patch_size": 16,
    }


def _gpt2(layers: int) -> dict[str, Any]:
    """A GPT-2 of the smallest width (Radford et al., 2019; with 6 layers Sanh et al., 2019, DistilGPT2)."""
    return {
        "model_type": "gpt2",
        "vocab_size": 50257,
        "n_embd": 768,
        "n_layer": layers,
        "n_head": 12,
        "n_positions": 1024,
        "bos_token_id": 50256,
        "eos_token_id": 50256,
    }


PUBLISHED: dict[str, dict[str, Any]] = {
    "google/electra-small-discriminator": _electra(128, 256, 4),
    "google/electra-base-discriminator": _electra(768, 768, 12),
    "prajjwal1/bert-tiny": _bert(128, 2, 2),
    "bert-base-uncased": _bert(768, 12, 12),
    "nreimers/MiniLM-L6-H384-uncased": _bert(384, 6, 12),
    # RoBERTa (https://arxiv.org/abs/1907.11692): positions are counted from the padding number + 1, hence 514.
    "roberta-base": {
        **_bert(768, 12, 12),
        "model_type": "roberta",
        "vocab_size": 50265,
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    },
    "gpt2": _gpt2(12),
    "distilgpt2": _gpt2(6),
    "facebook/deit-tiny-patch16-224": _vit(192, 3),
    "facebook/deit-small-patch16-224": _vit(384, 6),
    "facebook/deit-base-patch16-224": _vit(768, 12),
    "google/vit-base-patch16-224": _vit(768, 12),
    # DINO (https://arxiv.org/abs/2104.14294) is the training; the encoder is a ViT.
    "facebook/dino-vits16": _vit(384, 6),
    # BEiT (https://arxiv.org/abs/2106.08254): positions enter as a bias on attention, relative to each other.
    "microsoft/beit-base-patch16-224": {
        **_vit(768, 12),
        "model_type": "beit",
        "vocab_size": 8192,
        "use_relative_position_bias": True,
        "use_absolute_position_embeddings": False,
        "layer_scale_init_value": 0.1,
        "drop_path_rate": 0.1,
        "use_mean_pooling": True,
    },
    # Whole models for `clip_model`; what is left out is transformers' default, which these two are.
    "openai/clip-vit-base-patch32": {"model_type": "clip"},
    "google/siglip-base-patch16-224": {"model_type": "siglip"},
    # Swin (https://arxiv.org/abs/2103.14030)
    "microsoft/swin-tiny-patch4-window7-224": {
        "model_type": "swin",
        "image_size": 224,
        "patch_size": 4,
        "embed_dim": 96,
        "depths": [2, 2, 6, 2],
        "num_heads": [3, 6, 12, 24],
        "window_size": 7,
        "drop_path_rate": 0.1,
    },
}
