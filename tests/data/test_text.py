"""Tokenizers: against transformers on the real BERT vocabulary, and built from texts."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

from renaissance.data.text.processor import SPECIAL_WORD, TextProcessor
from renaissance.data.text.vocabulary import load_vocabulary
from renaissance.data.text.vocabulary_building import build_vocabulary
from renaissance.errors import UserError
from renaissance.settings import Settings

MakeSettings = Callable[..., Settings]

SENTENCES = [
    "A photographer's running-shoe, unbelievably!",
    "",
    "two dogs",
    "Ünïcödé and 漢字 and 🎈",
    "word " * 100,
    "[MASK] and [SEP] written out",
]


@pytest.fixture(scope="module")
def bert(real_data: Path) -> Path:
    return real_data / "tokenizers" / "bert-base-uncased"


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small tokenizer of RoBERTa's kind."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=special, initial_alphabet=alphabet, vocab_size=400)
    tokenizer.train_from_iterator(["a small red circle", "two dogs running"] * 5, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    folder = tmp_path_factory.mktemp("roberta-like")
    tokenizer.save(str(folder / "tokenizer.json"))
    roles = {
        "cls_token": "<s>",
        "pad_token": "<pad>",
        "sep_token": "</s>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **roles}))
    return folder


@pytest.mark.parametrize("length", [8, 40, 512])
def test_encodes_as_transformers_does(bert: Path, length: int) -> None:
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(bert)
    processor = TextProcessor(load_vocabulary(str(bert), "tokenizer"), max_text_len=length)
    expected = reference(SENTENCES, truncation=True, max_length=length)
    encoded = processor.encode(SENTENCES)
    for number, (ids, words) in enumerate(encoded):
        assert ids.tolist() == expected["input_ids"][number]
        assert [None if word == SPECIAL_WORD else word for word in words] == expected.word_ids(number)
        assert len(ids) == len(words) <= length
    assert processor.vocab_size == len(reference) == 30522
    assert processor.special_ids == set(reference.all_special_ids)
    roles = ("pad", "unk", "cls", "sep", "mask")
    assert [getattr(processor, f"{role}_id") for role in roles] == [0, 100, 101, 102, 103]
    assert processor.knows_words
    assert processor.decode(encoded[2][0].tolist()) == "two dogs"


def test_words_are_those_that_pieces_belong_to(bert: Path) -> None:
    processor = TextProcessor(load_vocabulary(str(bert), "tokenizer"), max_text_len=40)
    (ids, words) = processor.encode(["unbelievableness rocks"])[0]
    pieces = [processor.decode([number]) for number in ids[1:-1]]
    assert len(pieces) > 2
    assert words.tolist() == [SPECIAL_WORD, *[0] * (len(pieces) - 1), 1, SPECIAL_WORD]


def test_a_byte_level_tokenizer(byte_level: Path) -> None:
    processor = TextProcessor(load_vocabulary(str(byte_level), "tokenizer"), max_text_len=6)
    ids, words = processor.encode(["two small dogs running far away"])[0]
    assert len(ids) == 6
    assert ids[0] == processor.cls_id == 0
    assert ids[-1] == processor.sep_id == 2
    assert words[0] == words[-1] == SPECIAL_WORD
    assert words[1] == 0
    assert not processor.knows_words
    assert processor.pad_id == 1


def build(texts: Iterable[str], size: int | None = None, length: int = 40) -> TextProcessor:
    kept = list(texts)
    return TextProcessor(build_vocabulary(lambda: kept, size), length)


def test_a_built_vocabulary_has_the_words_of_the_texts() -> None:
    processor = build(["A small red circle.", "a small RED square", "two small circles, a square"] * 3)
    ids, words = processor.encode(["a small red square"])[0]
    assert words.tolist() == [SPECIAL_WORD, 0, 1, 2, 3, SPECIAL_WORD]
    assert processor.unk_id not in ids
    assert processor.decode(ids.tolist()) == "a small red square"
    assert processor.knows_words
    assert processor.unk_id in processor.encode(["漢"])[0][0]
    assert sorted(processor.special_ids) == [0, 1, 2, 3, 4]
    assert processor.pad_id == 0


def test_texts_that_a_vocabulary_cannot_spell_are_counted(byte_level: Path, make_settings: MakeSettings) -> None:
    processor = build(["a small red circle", "two small circles"] * 3)
    assert processor.count_unspelled(["a red circle", "two circles", "small"]) == 0
    assert processor.count_unspelled(["a red box", "two circles"]) == 1, "x occurs in no training text"
    bytes_alone = TextProcessor.from_settings(make_settings(tokenizer=str(byte_level)), lambda: [])
    assert bytes_alone.count_unspelled(["漢", "box"]) == 0


def test_a_built_vocabulary_keeps_to_its_size() -> None:
    texts = [f"word{number} other{number}" for number in range(500)] * 2
    assert build(texts, 200).vocab_size <= 200
    with pytest.raises(UserError, match="vocab_size=10 is too small"):
        build(texts, 10)
    with pytest.raises(UserError, match="training texts are empty"):
        build([])


def test_the_same_texts_give_the_same_vocabulary_in_every_process() -> None:
    script = (
        "from renaissance.data.text.vocabulary_building import build_vocabulary\n"
        "texts = ['the %dth dog of %d sheep and zebras, or kiwis' % (n * n, n) for n in range(300)]\n"
        "print(build_vocabulary(lambda: texts, 120).tokenizer.to_str())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "TOKENIZERS_PARALLELISM": parallel},
        ).stdout
        for seed, parallel in (("0", "false"), ("1", "true"), ("2", "true"))
    ]
    assert runs[0] == runs[1] == runs[2]


def test_state_makes_an_equal_processor() -> None:
    processor = build(["a small red circle"] * 2, length=12)
    state = json.loads(json.dumps(processor.state()))
    for copy in (TextProcessor.from_state(state), pickle.loads(pickle.dumps(processor))):
        assert copy.state() == processor.state()
        for (ids, words), (others, other_words) in zip(
            copy.encode(SENTENCES), processor.encode(SENTENCES), strict=True
        ):
            assert ids.tolist() == others.tolist()
            assert words.tolist() == other_words.tolist()
    shorter = TextProcessor.from_state(state, max_text_len=4)
    assert len(shorter.encode(["a small red circle"])[0][0]) == 4
    with pytest.raises(UserError, match="vocabulary cannot be read"):
        TextProcessor.from_state({**state, "tokenizer": "{}"})


def never() -> Iterable[str]:
    raise AssertionError("no vocabulary should be built")


def test_settings_choose_the_tokenizer(bert: Path, byte_level: Path, make_settings: MakeSettings) -> None:
    named = make_settings(tokenizer=str(bert), random_init_text_encoder=True, max_text_len=9)
    processor = TextProcessor.from_settings(named, never)
    assert processor.vocab_size == 30522
    assert processor.max_text_len == 9
    own = make_settings(text_encoder=str(bert))  # a pretrained encoder's own
    assert TextProcessor.from_settings(own, never).vocab_size == 30522
    one_tower = make_settings(model_type="one-tower", encoder=str(bert))
    assert TextProcessor.from_settings(one_tower, never).vocab_size == 30522
    random = make_settings(random_init_text_encoder=True)
    assert TextProcessor.from_settings(random, lambda: ["a red circle"] * 2).vocab_size < 60
    characters = make_settings(random_init_text_encoder=True, tokenizer_type="character", min_frequency=3)
    assert TextProcessor.from_settings(characters, lambda: ["aaabb"]).vocab_size == 5 + 1
    with pytest.raises(UserError, match=r"tokenizer_type=word, but text_encoder=.* has a tokenizer of its own"):
        TextProcessor.from_settings(own.model_copy(update={"tokenizer_type": "word"}), never)
    with pytest.raises(UserError, match=r"vocab_size=100, but the tokenizer .* has 30522 entries"):
        TextProcessor.from_settings(make_settings(tokenizer=str(bert), vocab_size=100), never)
    whole_words = make_settings(whole_word_masking=True).model_copy(update={"tokenizer": str(byte_level)})
    with pytest.raises(UserError, match="whole_word_masking=True needs a tokenizer with word pieces"):
        TextProcessor.from_settings(whole_words, never)


def test_several_encoders_read_the_tokens_of_the_pretrained_one(
    bert: Path, byte_level: Path, make_settings: MakeSettings
) -> None:
    joined = make_settings(text_encoder=["transformer", str(byte_level), str(byte_level), "longformer"])
    alone = make_settings(text_encoder=str(byte_level))
    expected = TextProcessor.from_settings(alone, never).encode(["two dogs"])[0][0]
    assert TextProcessor.from_settings(joined, never).encode(["two dogs"])[0][0].tolist() == expected.tolist()
    two = make_settings(text_encoder=[str(bert), str(byte_level)])
    with pytest.raises(UserError, match="have different vocabularies"):
        TextProcessor.from_settings(two, never)
    random = make_settings(text_encoder=[str(bert), str(byte_level)], random_init_text_encoder=[True, False])
    assert TextProcessor.from_settings(random, never).encode(["two dogs"])[0][0].tolist() == expected.tolist()


def test_a_one_tower_on_a_vision_encoder_gets_a_built_vocabulary(tmp_path: Path, make_settings: MakeSettings) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    settings = make_settings(model_type="one-tower", encoder=str(tmp_path))
    assert TextProcessor.from_settings(settings, lambda: ["a red circle"] * 2).vocab_size < 60


def test_an_absent_hub_is_one_message_within_seconds() -> None:
    """In a process of its own with an address where nothing listens."""
    script = (
        "import sys\n"
        "from renaissance.data.text.vocabulary import load_vocabulary\n"
        "from renaissance.errors import UserError\n"
        "import transformers, time\n"
        "start = time.time()\n"
        "try: load_vocabulary('google/no-such-tokenizer', 'tokenizer')\n"
        "except UserError as error: print(time.time() - start, error)"
    )
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9"}
    started = time.time()
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    seconds, message = run.stdout.split(" ", 1)
    assert float(seconds) < 8, time.time() - started
    assert "tokenizer = 'google/no-such-tokenizer'" in message
    assert "the hub does not answer" in message
    assert "Retrying" not in run.stderr


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this folder holds no tokenizer"):
        load_vocabulary(str(tmp_path), "tokenizer")


def test_of_a_whole_model_the_setting_is_named_that_the_user_gave(tmp_path: Path, make_settings: MakeSettings) -> None:
    settings = make_settings(clip_model=str(tmp_path), loss_names={"contrastive": 1})
    with pytest.raises(UserError, match=r"^clip_model = .*: this folder holds no tokenizer"):
        TextProcessor.from_settings(settings, list)
