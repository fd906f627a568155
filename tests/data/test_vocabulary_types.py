"""Vocabularies built from texts: what each type splits, gives back and counts, worked by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable

import pytest

from renaissance.data.text.processor import SPECIAL_WORD, TextProcessor
from renaissance.data.text.vocabulary_building import build_vocabulary
from renaissance.errors import UserError

CAPTIONS = ["A small red circle, and a Blue one.", "Two  small squares\n(blue) and a circle!"] * 2


def build(tokenizer_type: str, texts: Iterable[str] = CAPTIONS, size: int | None = None, **more: int) -> TextProcessor:
    kept = list(texts)
    return TextProcessor(build_vocabulary(lambda: kept, size, tokenizer_type, **more), max_text_len=100)


@pytest.mark.parametrize("text", [*CAPTIONS[:2], "a red red circle", " (small)  squares!\n", ""])
@pytest.mark.parametrize("tokenizer_type", ["bpe", "character"])
def test_nothing_of_a_text_is_lost(tokenizer_type: str, text: str) -> None:
    processor = build(tokenizer_type)
    assert processor.decode(processor.encode([text])[0][0].tolist()) == text


def test_byte_pairs_know_every_text() -> None:
    text = "Ünseen 漢字\tand 🎈"
    processor = build("bpe")
    assert processor.decode(processor.encode([text])[0][0].tolist()) == text


@pytest.mark.parametrize("tokenizer_type", ["word", "wordpiece"])
def test_words_come_back_in_lower_case_with_single_spaces(tokenizer_type: str) -> None:
    processor = build(tokenizer_type)
    decoded = processor.decode(processor.encode([CAPTIONS[0]])[0][0].tolist())
    assert decoded == "a small red circle, and a blue one."
    assert processor.decode(processor.encode(["Two  RED\nsquares"])[0][0].tolist()) == "two red squares"


def test_words_are_numbered_by_frequency_behind_the_special_tokens() -> None:
    processor = build("word", ["b a b", "c b a", "d"], min_frequency=2)
    assert processor.encode(["a b c d"])[0][0].tolist() == [2, 6, 5, 1, 1, 3]
    assert processor.vocab_size == 7
    assert processor.encode(["a b c d"])[0][1].tolist() == [SPECIAL_WORD, 0, 1, 2, 3, SPECIAL_WORD]


def test_characters_are_numbered_by_frequency_behind_the_special_tokens() -> None:
    processor = build("character", ["Bab", "aB ", "c"], min_frequency=2)
    assert processor.encode(["aBc"])[0][0].tolist() == [2, 6, 5, 1, 3]
    assert processor.vocab_size == 7


@pytest.mark.parametrize(("tokenizer_type", "least"), [("word", 6), ("character", 6), ("bpe", 5 + 256)])
def test_a_vocabulary_keeps_to_its_size(tokenizer_type: str, least: int) -> None:
    assert build(tokenizer_type, size=least).vocab_size == least
    with pytest.raises(UserError, match=f"vocab_size={least - 1} is too small: .* {least} entries"):
        build(tokenizer_type, size=least - 1)


@pytest.mark.parametrize("tokenizer_type", ["word", "wordpiece", "bpe", "character"])
def test_without_texts_there_is_no_vocabulary(tokenizer_type: str) -> None:
    with pytest.raises(UserError, match=r"No vocabulary can be built: the training texts are empty"):
        build(tokenizer_type, [""])


def test_nothing_frequent_enough_is_said() -> None:
    with pytest.raises(UserError, match="nothing in them occurs min_frequency=10 times"):
        build("word", min_frequency=10)


def test_which_types_know_words() -> None:
    known = {name: build(name).knows_words for name in ("word", "wordpiece", "bpe", "character")}
    assert known == {"word": True, "wordpiece": True, "bpe": False, "character": False}


@pytest.mark.parametrize("tokenizer_type", ["word", "bpe", "character"])
def test_every_process_builds_the_same(tokenizer_type: str) -> None:
    script = (
        "from renaissance.data.text.vocabulary_building import build_vocabulary\n"
        "texts = ['the %dth dog of %d sheep and zebras, or kiwis' % (n * n, n) for n in range(300)]\n"
        f"print(build_vocabulary(lambda: texts, 300, {tokenizer_type!r}).tokenizer.to_str())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "TOKENIZERS_PARALLELISM": parallel},
        ).stdout
        for parallel in ("false", "true", "true")
    }
    assert len(runs) == 1
