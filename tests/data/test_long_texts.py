"""Texts that are longer than `max_text_len`: what stays, against transformers' truncation and against whole texts."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from renaissance.data.batches.collate import BatchMaker
from renaissance.data.batches.loader import BatchLoader, make_eval_loader, make_train_loader
from renaissance.data.examples.schema import DataNeeds
from renaissance.data.examples.tables import TableExamples
from renaissance.data.streams import stream
from renaissance.data.text.long_texts import splits_at_spaces
from renaissance.data.text.processor import SPECIAL_WORD, TextProcessor
from renaissance.data.text.vocabulary import Vocabulary, load_vocabulary
from renaissance.data.text.vocabulary_building import build_vocabulary
from renaissance.errors import UserError

from .conftest import WriteTable
from .schemas import REVIEWS

TYPES = ("word", "wordpiece", "bpe", "character")
SENTENCES = ["the unbelievable film, which nobody saw; and a second one!", "it was not bad at all", "(twice) a day"]
SIGNS = [
    *"   \n\t\u00a0\u3000",
    "a",
    "film",
    "Unbelievable",
    ".",
    "漢",
    "é",
    "e\u0301",
    "🎈",
    "x" * 120,
    "[SEP]",
    "\x00",
]


def processor(tokenizer_type: str, length: int, keep: str = "from_start") -> TextProcessor:
    return TextProcessor(build_vocabulary(lambda: SENTENCES * 2, 400, tokenizer_type, 1), length, keep)


@pytest.mark.parametrize(("keep", "side"), [("from_start", "right"), ("from_end", "left")])
@pytest.mark.parametrize("length", [3, 10, 64])
def test_cuts_as_transformers_does(real_data: Path, keep: str, side: str, length: int) -> None:
    from transformers import AutoTokenizer

    folder = str(real_data / "tokenizers" / "bert-base-uncased")
    texts = ["short", "", " ".join(SENTENCES) * 40, " " * 5000 + "far", "word" * 2000]
    reference = AutoTokenizer.from_pretrained(folder, truncation_side=side)
    own = TextProcessor(load_vocabulary(folder, "tokenizer"), length, keep)
    expected = reference(texts, truncation=True, max_length=length)
    for number, (ids, words) in enumerate(own.encode(texts)):
        assert ids.tolist() == expected["input_ids"][number]
        whole = [SPECIAL_WORD if word is None else word for word in expected.word_ids(number)]
        first = min((word for word in whole if word >= 0), default=0)
        assert words.tolist() == [word - first if word >= 0 else word for word in whole]


@pytest.mark.parametrize("tokenizer_type", TYPES)
def test_the_beginning_of_a_text_is_tokenized_as_in_the_whole_text(tokenizer_type: str) -> None:
    draw = random.Random(0)
    short, whole = processor(tokenizer_type, 12), processor(tokenizer_type, 10**6)
    assert splits_at_spaces(short._tokenizer)
    for _ in range(300):
        text = "".join(draw.choices(SIGNS, k=200))
        ids, words = short.encode([text])[0]
        all_ids, all_words = whole.encode([text])[0]
        assert ids.tolist() == [*all_ids[:11], all_ids[-1]]
        assert words.tolist() == [*all_words[:11], SPECIAL_WORD]


def test_tokenizers_that_are_not_known_to_split_at_spaces_see_the_whole_text() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"?": 0, "a b": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("|", "removed")
    assert not splits_at_spaces(tokenizer)
    own = TextProcessor(Vocabulary(tokenizer, {"pad": 0}, frozenset()), 3)
    assert own.encode(["|".join(["a b"] * 100)])[0][0].tolist() == [1, 1, 1]


@pytest.mark.parametrize("tokenizer_type", TYPES)
def test_a_random_window_is_a_stretch_of_the_text_and_may_lie_anywhere(tokenizer_type: str) -> None:
    text = " ".join(SENTENCES)
    own, whole = processor(tokenizer_type, 8, "uniform"), processor(tokenizer_type, 10**6)
    all_ids, all_words = (numbers[1:-1].tolist() for numbers in whole.encode([text])[0])
    begins = set()
    for epoch in range(300):
        ids, words = own.encode([text], [stream(0, epoch, 3, "long text")])[0]
        assert (ids[0], ids[-1], len(ids)) == (own.cls_id, own.sep_id, 8)
        inner, inner_words = ids[1:-1].tolist(), words[1:-1]
        assert words[0] == words[-1] == SPECIAL_WORD
        fitting = [at for at in range(len(all_ids) - 5) if all_ids[at : at + 6] == inner]
        assert fitting
        assert any(np.array_equal(np.array(all_words[at : at + 6]) - all_words[at], inner_words) for at in fitting)
        begins.update(fitting[:1] if len(fitting) == 1 else [])
    assert {0, len(all_ids) - 6} <= begins, "also the first and the last"
    assert own.encode([text])[0][0].tolist() == processor(tokenizer_type, 8).encode([text])[0][0].tolist()


def test_without_room_for_a_text_this_is_said() -> None:
    with pytest.raises(UserError, match="max_text_len=2 leaves no room beside the tokenizer's 2 special tokens"):
        processor("word", 2)


@pytest.fixture
def reviews(tmp_path: Path, write_table: WriteTable) -> TableExamples:
    """Twelve texts of 40 numbered words each, and a short one."""
    texts = [" ".join(f"w{number + 40 * text}" for number in range(40)) for text in range(12)] + ["w1 w2"]
    table = write_table(tmp_path / "imdb_train.arrow", {"text": texts, "label": [0] * 13})
    return TableExamples([table], DataNeeds(REVIEWS, image=False, text=True))


def seen(loader: BatchLoader) -> dict[int, list[list[int]]]:
    """Per example, its tokens at each time that it comes, without padding."""
    found: dict[int, list[list[int]]] = {}
    for batch in loader:
        assert batch.tokens is not None
        for index, ids, mask in zip(batch.index.tolist(), batch.tokens.ids, batch.tokens.mask, strict=True):
            found.setdefault(index, []).append(ids[mask].tolist())
    return found


def test_windows_are_of_the_seed_the_epoch_and_the_example_in_training_and_the_start_elsewhere(
    reviews: TableExamples,
) -> None:
    vocabulary = build_vocabulary(reviews.texts, None, "word", min_frequency=1)
    own = TextProcessor(vocabulary, 8, "uniform")

    def train(batch_size: int, seed: int = 0, workers: int = 0) -> dict[int, list[list[int]]]:
        """Three epochs; a last batch that is not full is left out of each."""
        batches = 3 * (len(reviews) // batch_size)
        return seen(
            make_train_loader(
                [BatchMaker(reviews, None, own, {}, seed, training=True)],
                batch_size=batch_size,
                total_batches=batches,
                seed=seed,
                num_workers=workers,
            )
        )

    once = train(13)
    assert train(1) == once
    assert train(13, workers=1) == once
    assert train(13, seed=1) != once
    for index, windows in once.items():
        assert len(windows) == 3
        assert {len(window) for window in windows} == {8 if index < 12 else 4}
        different = len({tuple(window) for window in windows})  # of 35 windows, seldom the same twice
        assert different == 1 if index == 12 else different > 1, index
    evaluation = make_eval_loader(BatchMaker(reviews, None, own, {}, 0, training=False), batch_size=5, num_workers=0)
    starts = TextProcessor(vocabulary, 8).encode(list(reviews.texts()))
    assert seen(evaluation) == {index: [ids.tolist()] for index, (ids, _) in enumerate(starts)}
