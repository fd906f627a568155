"""Pairs of texts that are read as one: against transformers, for BERT's and RoBERTa's kind of tokenizer."""

from __future__ import annotations

import pickle
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from renaissance.data.text.processor import SPECIAL_WORD, TextProcessor
from renaissance.data.text.vocabulary import load_vocabulary
from renaissance.data.text.vocabulary_building import build_vocabulary

TEXTS = ["two dogs", "", "unbelievableness rocks", "word " * 30, "[SEP] written out", "Ünïcödé and 漢字"]
PAIRS = list(product(TEXTS, TEXTS))


def roberta(folder: Path) -> Path:
    """A folder with a small tokenizer of RoBERTa's kind."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=special, initial_alphabet=alphabet, vocab_size=400)
    tokenizer.train_from_iterator(["unbelievable rocks", "two dogs running"] * 5, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    roles = {"cls_token": "<s>", "bos_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "eos_token": "</s>",
             "unk_token": "<unk>", "mask_token": "<mask>"}  # fmt: skip
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("style", ["bert", "roberta"])
@pytest.mark.parametrize("length", [7, 12, 40, 128])
def test_pairs_are_those_of_transformers(real_data: Path, tmp_path: Path, style: str, length: int) -> None:
    folder = real_data / "tokenizers" / "bert-base-uncased" if style == "bert" else roberta(tmp_path)
    reference = AutoTokenizer.from_pretrained(folder)
    processor = TextProcessor(load_vocabulary(str(folder), "tokenizer"), max_text_len=length)
    first, second = zip(*PAIRS, strict=True)
    expected = reference(
        list(first), list(second), truncation="longest_first", max_length=length, return_token_type_ids=True
    )
    encoded, segments = pickle.loads(pickle.dumps(processor)).encode_pairs(first, second)
    for number, ((ids, words), segment) in enumerate(zip(encoded, segments, strict=True)):
        assert ids.tolist() == expected["input_ids"][number]
        assert segment.tolist() == expected["token_type_ids"][number]
        assert len(ids) == len(words) == len(segment) <= length
        pieces = zip(expected.sequence_ids(number), expected.word_ids(number), strict=True)
        known = [None if word is None else (sequence, word) for sequence, word in pieces]
        assert [word == SPECIAL_WORD for word in words] == [piece is None for piece in known]
        same = {(word, piece) for word, piece in zip(words.tolist(), known, strict=True) if piece is not None}
        assert len(same) == len({word for word, _ in same}) == len({piece for _, piece in same}), "a number a word"
        assert words[words != SPECIAL_WORD].tolist() == sorted(words[words != SPECIAL_WORD])
    assert [ids.tolist() for ids, _ in processor.encode(first)] == reference(
        list(first), truncation=True, max_length=length
    )["input_ids"], "texts alone are encoded as before"


def test_a_built_vocabulary_marks_the_second_text() -> None:
    processor = TextProcessor(build_vocabulary(lambda: ["red circle", "blue square"] * 3, None), 10)
    ((ids, words),), (segments,) = processor.encode_pairs(["red circle"], ["blue square"])
    cls, sep = processor.cls_id, processor.sep_id
    assert ids[0] == cls
    assert np.flatnonzero(ids == sep).tolist() == [3, 6]
    assert segments.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert words.tolist() == [SPECIAL_WORD, 0, 1, SPECIAL_WORD, 2, 3, SPECIAL_WORD]
