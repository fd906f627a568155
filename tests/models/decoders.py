"""Small causal language models with their tokenizers, as folders of the kind that the hub has."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    CONFIG_MAPPING,
    AutoModelForCausalLM,
    BertTokenizer,
    GPT2Tokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from renaissance.data.text.tokenizer_types import SPECIAL
from tests.models.references import TEXT, randomise

GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 40, "bos_token_id": 0, "eos_token_id": 0}
END = "<|endoftext|>"


def gpt2_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerBase:
    """A tokenizer of GPT-2's kind: byte pairs, and one special token, which it does not put around texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        special_tokens=[END], initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), vocab_size=300,
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    merges = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    return GPT2Tokenizer(vocab=vocabulary, merges=merges)  # type: ignore[arg-type]


def bert_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerBase:
    """A tokenizer of BERT's kind with the words of texts as its pieces."""
    words = sorted({word for text in texts for word in text.lower().split()})
    return BertTokenizer(vocab={token: number for number, token in enumerate([*SPECIAL.values(), *words])})


def language_model(kind: str, vocab_size: int, **changes: Any) -> PreTrainedModel:
    """A small language model without cross-attention, every weight of it random."""
    values = {**(GPT2 if kind == "gpt2" else {**TEXT, "max_position_embeddings": 42}), "vocab_size": vocab_size}
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[kind](**{**values, **changes}))
    randomise(model)
    return model.eval()


def language_model_folder(folder: Path, kind: str, texts: Iterable[str], **changes: Any) -> str:
    """Writes a small language model of "gpt2", "bert", … with a tokenizer of texts; the folder's name."""
    tokenizer = (gpt2_tokenizer if kind == "gpt2" else bert_tokenizer)(list(texts))
    language_model(kind, len(tokenizer), **changes).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
