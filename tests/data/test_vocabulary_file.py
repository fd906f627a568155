"""`vocab_file`: dictionaries and tokenizers JSON, good ones and those that somebody broke."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from renaissance.data.text import vocabulary_file
from renaissance.data.text.processor import TextProcessor
from renaissance.data.text.vocabulary import load_vocabulary
from renaissance.data.text.vocabulary_building import build_vocabulary
from renaissance.data.text.vocabulary_file import read_vocabulary
from renaissance.errors import UserError
from renaissance.settings import Settings

MakeSettings = Callable[..., Settings]
TEXTS = ["A small red circle, and a Blue one.", "Two  small squares (blue) and a circle!"] * 2


def write(folder: Path, content: Any) -> str:
    path = folder / "vocab.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def read(folder: Path, content: Any, tokenizer_type: str = "word") -> TextProcessor:
    return TextProcessor(read_vocabulary(write(folder, content), tokenizer_type), max_text_len=100)


def numbers(processor: TextProcessor, text: str) -> list[int]:
    found: list[int] = processor.encode([text])[0][0].tolist()
    return found


def test_words_of_a_dictionary(tmp_path: Path) -> None:
    processor = read(tmp_path, {"red": 0, "circle": 1, "a": 2, ".": 3})
    # [PAD], [UNK], [CLS], [SEP] and [MASK] follow behind the entries, 4 to 8.
    assert numbers(processor, "A red  square.") == [6, 2, 0, 5, 3, 7]
    assert processor.decode([6, 2, 0, 1, 3, 7]) == "a red circle."
    assert (processor.pad_id, processor.mask_id, processor.vocab_size) == (4, 8, 9)


def test_word_pieces_of_a_dictionary_are_the_longest_that_fit(tmp_path: Path) -> None:
    processor = read(tmp_path, {"un": 0, "unbe": 1, "##li": 2, "##lie": 3, "##vable": 4, "a": 5}, "wordpiece")
    assert numbers(processor, "a unbelievable")[1:-1] == [5, 1, 3, 4]
    assert processor.decode([5, 1, 3, 4]) == "a unbelievable"


def test_characters_of_a_dictionary_keep_upper_case_where_it_has_some(tmp_path: Path) -> None:
    entries = {"<pad>": 0, "<unk>": 1, "<bos>": 2, "<eos>": 3, "<mask>": 4, "a": 5, "A": 6, " ": 7}
    processor = read(tmp_path, entries, "character")
    assert numbers(processor, "A ab") == [2, 6, 7, 5, 1, 3]
    assert processor.decode([2, 6, 7, 5, 3]) == "A a"
    assert processor.special_ids == {0, 1, 2, 3, 4}
    lower = read(tmp_path, {"a": 0}, "character")
    assert numbers(lower, "Aa")[1:-1] == [0, 0]


def test_accents_are_kept_where_the_dictionary_has_some(tmp_path: Path) -> None:
    assert numbers(read(tmp_path, {"café": 0, "가": 1}), "Café 가")[1:-1] == [0, 1]
    assert numbers(read(tmp_path, {"cafe": 0}), "Café")[1:-1] == [0]


@pytest.mark.parametrize("tokenizer_type", ["word", "wordpiece", "character", "bpe"])
def test_what_a_run_saves_is_the_same_vocabulary_again(tmp_path: Path, tokenizer_type: str) -> None:
    built = TextProcessor(build_vocabulary(lambda: TEXTS, None, tokenizer_type), 40)
    built.save(tmp_path / "vocabulary.json", tmp_path / "tokenizer.json")
    whole = TextProcessor(read_vocabulary(str(tmp_path / "tokenizer.json"), "wordpiece"), 40)
    assert whole.state() == built.state()
    if tokenizer_type == "bpe":
        with pytest.raises(UserError, match=r"without the merges .* Give the tokenizer\.json"):
            read_vocabulary(str(tmp_path / "vocabulary.json"), "bpe")
        return
    entries = TextProcessor(read_vocabulary(str(tmp_path / "vocabulary.json"), tokenizer_type), 40)
    assert entries.state() == built.state()


def test_a_published_tokenizer_is_the_same_from_its_json(tmp_path: Path, real_data: Path) -> None:
    folder = str(real_data / "tokenizers" / "bert-base-uncased")
    reference = TextProcessor(load_vocabulary(folder, "tokenizer"), 40)
    reference.save(tmp_path / "vocabulary.json", tmp_path / "tokenizer.json")
    for name in ("vocabulary.json", "tokenizer.json"):
        read_back = TextProcessor(read_vocabulary(str(tmp_path / name), "wordpiece"), 40)
        assert numbers(read_back, "Unbelievably Über-photographic, 漢字!") == numbers(
            reference, "Unbelievably Über-photographic, 漢字!"
        )
        assert read_back.special_ids == reference.special_ids
        assert read_back.vocab_size == 30522


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a JSON file that can be read"),
        ("[" * 100_000, "is not a JSON file that can be read"),
        ('{"a": 1' + "0" * 5000 + "}", "is not a JSON file that can be read"),
        (["a", "b"], "holds a list, not a dictionary"),
        ({}, "has 0 entries"),
        ('{"a": 0, "b": 1, "a": 2}', "'a' stands there twice"),
        ({"a": 0, "b": 0}, "'a' and 'b' have the same number, 0"),
        ({"a": 0, "b": 2, "c": 7}, "should be 0 to 2, but none has 1"),
        ({"a": -1}, "'a' has -1, not a whole number"),
        ({"a": True}, "'a' has True, not a whole number"),
        ({"a": 0.0}, "'a' has 0.0, not a whole number"),
        ({"a": {"b": "c" * 500}}, "…, not a whole number"),
        ({"": 0}, "'' is no token"),
        ('{"\\ud800": 0}', "is no token"),
        ({"model": {"type": "Nonsense"}}, "the tokenizers library cannot read it"),
        (
            {"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "b"}},
            "the tokenizers library cannot read it",
        ),
    ],
)
def test_broken_files_are_one_message(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, content)
    assert "vocab.json" in str(caught.value)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


def test_files_that_are_no_text_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_vocabulary(str(tmp_path / "absent.json"), "word")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_vocabulary(str(tmp_path), "word")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is not UTF-8 text"):
        read_vocabulary(str(tmp_path / "bytes"), "word")
    monkeypatch.setattr(vocabulary_file, "LARGEST_FILE", 10)
    with pytest.raises(UserError, match="bytes; at most 10 are read"):
        read(tmp_path, {"a": 0, "b": 1})
    monkeypatch.undo()
    monkeypatch.setattr(vocabulary_file, "MOST_ENTRIES", 1)
    with pytest.raises(UserError, match="has 2 entries; from 1 to 1 are taken"):
        read(tmp_path, {"a": 0, "b": 1})


def test_characters_are_single(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="takes single characters, but 1 entries are longer: 'the'"):
        read(tmp_path, {"the": 0, "a": 1, "[PAD]": 2}, "character")


def never() -> list[str]:
    raise AssertionError("no vocabulary should be built")


def test_the_setting(tmp_path: Path, make_settings: MakeSettings) -> None:
    path = write(tmp_path, {"red": 0, "circle": 1})
    words = make_settings(vocab_file=path, tokenizer_type="word", random_init_text_encoder=True)
    assert TextProcessor.from_settings(words, never).vocab_size == 7
    with pytest.raises(UserError, match=r"vocab_size=100, but the vocab_file=.* has 7 entries"):
        TextProcessor.from_settings(words.model_copy(update={"vocab_size": 100}), never)
    characters = words.model_copy(update={"tokenizer_type": "character", "whole_word_masking": True})
    with pytest.raises(UserError, match="takes single characters"):
        TextProcessor.from_settings(characters, never)
    write(tmp_path, {"r": 0})
    with pytest.raises(UserError, match="whole_word_masking=True needs a tokenizer with word pieces"):
        TextProcessor.from_settings(characters, never)


def test_a_json_without_special_tokens_gets_them(tmp_path: Path) -> None:
    from tokenizers import models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"red": 0, "what?": 1}, unk_token="what?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    processor = read(tmp_path, tokenizer.to_str())
    assert numbers(processor, "red green") == [processor.cls_id, 0, 1, processor.sep_id]
    assert processor.unk_id == 1
    assert processor.special_ids == {1, 2, 3, 4, 5}
