"""Batches: the same from any number of workers, ranks and restarts, and what they hold."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch import Tensor

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import BatchMaker, Collate
from renaissance.data.batches.fetch import Fetch
from renaissance.data.batches.loader import BatchLoader, make_eval_loader, make_train_loader
from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.data.examples.tables import TableExamples
from renaissance.data.images.augment import RandAugmentDraw
from renaissance.data.images.transform import ImageStatistics, ImageTransform
from renaissance.data.text.processor import SPECIAL_WORD, TextProcessor
from renaissance.data.text.vocabulary_building import build_vocabulary
from renaissance.errors import UserError
from renaissance.tasks.common.targets import ClassTargets

from .conftest import WriteTable
from .schemas import REVIEWS

SIZE = 16
STATISTICS = ImageStatistics.of_key("imagenet")


class FalseImages:
    """Asks for an image and, sometimes, for a text of the whole set; collates a number for each example."""

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        images = [fetch.image(int(stream.integers(len(fetch.examples)))) for stream in streams]
        return {"image_row": torch.tensor(images), "number": torch.tensor([stream.random() for stream in streams])}


class OwnLengths:
    """Takes the tokens of each text, as masking does, into a tensor that no longer text widens."""

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        assert batch.tokens is not None
        return {"ids": batch.tokens.ids[batch.tokens.mask]}


class LongText:
    """Asks for the longest text of the set."""

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        longest = max(range(len(fetch.examples)), key=lambda i: len(fetch.examples.value(i, "text")))
        return {"text_row": torch.tensor([fetch.text(longest) for _ in streams])}


@pytest.fixture
def source(caption_table: Path) -> TableExamples:
    return TableExamples([caption_table], DataNeeds(CAPTIONS, image=True, text=True))


@pytest.fixture
def text(source: TableExamples) -> TextProcessor:
    return TextProcessor(build_vocabulary(source.texts, None), max_text_len=12)


def train(source: TableExamples, text: TextProcessor | None, **changes: Any) -> BatchLoader:
    transform = ImageTransform(["imagenet_randaug"], SIZE, STATISTICS, randaugment=RandAugmentDraw(2))
    given: dict[str, Any] = {
        "batch_size": 4,
        "total_batches": 10,
        "image_transform": transform,
        "text": text,
        "collates": {"itm": FalseImages(), "mlm": OwnLengths()},
        "seed": 0,
        "num_workers": 0,
        **changes,
    }
    transform, text, collates = (given.pop(name) for name in ("image_transform", "text", "collates"))
    maker = BatchMaker(source, transform, text, collates, seed=given["seed"], training=True)
    return make_train_loader([maker], **given)


def evaluate(
    source: TableExamples,
    transform: ImageTransform | None,
    text: TextProcessor | None,
    collates: dict[str, Collate],
    batch_size: int,
    num_workers: int = 0,
) -> BatchLoader:
    maker = BatchMaker(source, transform, text, collates, seed=0, training=False)
    return make_eval_loader(maker, batch_size=batch_size, num_workers=num_workers)


def flat(batch: Batch) -> list[Tensor]:
    """Every tensor of a batch."""
    tensors: list[Tensor] = []
    batch.map(lambda tensor: tensors.append(tensor) or tensor)  # type: ignore[func-returns-value]
    return tensors


def assert_equal(one: Sequence[Batch], other: Sequence[Batch]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        tensors, others = flat(a), flat(b)
        assert len(tensors) == len(others) == 11
        assert all(torch.equal(x, y) for x, y in zip(tensors, others, strict=True))


def test_a_batch_holds_its_examples(source: TableExamples, text: TextProcessor) -> None:
    """Against the source, Pillow and the tokenizer, example by example.

    Images of 48 × 36 become 21 × 16, in whole pixels, of which the middle 16 are taken, as transformers has it.
    """
    transform = ImageTransform(["imagenet"], SIZE, STATISTICS)
    for batch in train(source, text, image_transform=transform, collates={}):
        assert batch.pixels is not None
        assert batch.tokens is not None
        assert batch.row is not None
        assert batch.pixels.shape == (4, 3, SIZE, SIZE)
        assert batch.pixels.dtype == torch.uint8
        lengths = []
        for row, index in enumerate(batch.index.tolist()):
            assert batch.row[row] == source.row_of(index)
            picture = Image.open(io.BytesIO(source.value(index, "image"))).resize(
                (SIZE, SIZE), Image.Resampling.BICUBIC, box=(2 * 48 / 21, 0, 18 * 48 / 21, 36)
            )
            assert torch.equal(batch.pixels[row], torch.from_numpy(np.array(picture)).permute(2, 0, 1))
            ids, words = text.encode([source.value(index, "text")])[0]
            lengths.append(len(ids))
            assert batch.tokens.ids[row, : len(ids)].tolist() == ids.tolist()
            assert batch.tokens.words[row, : len(ids)].tolist() == words.tolist()
            assert (batch.tokens.ids[row, len(ids) :] == text.pad_id).all()
            assert (batch.tokens.words[row, len(ids) :] == SPECIAL_WORD).all()
            assert batch.tokens.mask[row].tolist() == [True] * len(ids) + [False] * (
                batch.tokens.ids.shape[1] - len(ids)
            )
        assert batch.tokens.ids.shape[1] == max(lengths)  # padded to the longest, not to max_text_len


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_make_the_same_batches(source: TableExamples, text: TextProcessor, workers: int) -> None:
    assert_equal(list(train(source, text)), list(train(source, text, num_workers=workers)))


def test_a_resumed_run_makes_the_same_batches(source: TableExamples, text: TextProcessor) -> None:
    assert_equal(list(train(source, text))[7:], list(train(source, text, start_batch=7)))
    assert len(train(source, text, start_batch=7)) == 3


def test_ranks_draw_what_one_process_draws(source: TableExamples, text: TextProcessor) -> None:
    whole = {
        (n, i): float(x)
        for n, b in enumerate(train(source, text))
        for i, x in zip(b.index.tolist(), b.collated["itm"]["number"], strict=True)
    }
    for rank in (0, 1):
        for number, batch in enumerate(train(source, text, batch_size=2, rank=rank, world_size=2)):
            for index, drawn in zip(batch.index.tolist(), batch.collated["itm"]["number"], strict=True):
                assert whole[number, index] == float(drawn)


def test_epochs_draw_anew(source: TableExamples, text: TextProcessor) -> None:
    drawn: dict[int, set[float]] = {}
    for batch in train(source, text, total_batches=12):
        for index, number in zip(batch.index.tolist(), batch.collated["itm"]["number"].tolist(), strict=True):
            assert number not in drawn.setdefault(index, set())
            drawn[index].add(number)
    assert max(map(len, drawn.values())) > 1


def test_tasks_draw_from_streams_of_their_own(source: TableExamples) -> None:
    drawn = next(iter(train(source, None, collates={"a": FalseImages(), "b": FalseImages()}))).collated
    first, second = drawn["a"], drawn["b"]
    assert not torch.equal(first["number"], second["number"])


def test_extra_images_are_those_asked_for(source: TableExamples) -> None:
    transform = ImageTransform(["imagenet"], SIZE, STATISTICS)
    for batch in train(source, None, image_transform=transform, collates={"itm": FalseImages()}):
        rows = batch.collated["itm"]["image_row"]
        assert batch.examples == 4
        assert batch.pixels is not None
        assert (rows >= 4).all()
        assert rows.max() == len(batch.pixels) - 1
        one = next(iter(evaluate(source, transform, None, {}, batch_size=len(source))))
        assert one.pixels is not None
        known = [image.flatten().tolist() for image in one.pixels]
        assert all(batch.pixels[row].flatten().tolist() in known for row in rows)


def test_extra_texts_widen_everything(source: TableExamples, text: TextProcessor) -> None:
    """What another task drew over (B, L) fits the length that the longest extra text gives the batch."""
    for collates in ({"mlm": OwnLengths(), "itm": LongText()}, {"itm": LongText(), "mlm": OwnLengths()}):
        for batch in train(source, text, collates=collates):
            assert batch.tokens is not None
            assert len(batch.tokens.ids) == 5
            assert batch.collated["itm"]["text_row"].tolist() == [4] * 4
            assert torch.equal(batch.collated["mlm"]["ids"], batch.tokens.ids[:4][batch.tokens.mask[:4]])


def test_randaugment_is_drawn_for_every_image(source: TableExamples) -> None:
    for batch in train(source, None, collates={"itm": FalseImages()}):
        assert batch.pixels is not None
        assert batch.randaugment["operation"].shape == (len(batch.pixels), 2)
        assert set(batch.collated) == {"itm"}


def test_evaluation_goes_through_all_examples_in_order(source: TableExamples, text: TextProcessor) -> None:
    transform = ImageTransform(["imagenet"], SIZE, STATISTICS)
    loader = evaluate(source, transform, text, {"itm": FalseImages()}, batch_size=5)
    batches = list(loader)
    assert [len(batch.index) for batch in batches] == [5, 5, 5, 3]
    assert len(loader) == 4
    assert torch.cat([batch.index for batch in batches]).tolist() == list(range(len(source)))
    again = list(loader)
    numbers = [[batch.collated["itm"]["number"] for batch in each] for each in (batches, again)]
    assert all(torch.equal(a, b) for a, b in zip(*numbers, strict=True))


def test_labels(tmp_path: Path, write_table: WriteTable) -> None:
    path = write_table(
        tmp_path / "t.arrow", {"text": [f"text {i}" for i in range(9)], "label": [i % 3 for i in range(9)]}
    )
    source = TableExamples([path], DataNeeds(REVIEWS, image=False, text=True))
    text = TextProcessor(build_vocabulary(source.texts, None), max_text_len=6)
    for batch in train(source, text, image_transform=None, collates={"imdb": ClassTargets("label")}):
        assert batch.pixels is None
        assert batch.schema == "imdb"
        assert batch.collated["imdb"]["target"].tolist() == [index % 3 for index in batch.index.tolist()]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_image_is_named_without_a_traceback(
    caption_table: Path, write_table: WriteTable, workers: int, make_picture: Any
) -> None:
    whole = make_picture(form="JPEG")
    path = write_table(
        caption_table.parent / "bad.arrow",
        {"image": [whole, whole[: len(whole) // 2]], "caption": pa.array([["a"], ["b"]], pa.list_(pa.string()))},
    )
    source = TableExamples([path], DataNeeds(CAPTIONS, image=True, text=False))
    transform = ImageTransform(["imagenet"], SIZE, STATISTICS)
    loader = evaluate(source, transform, None, {}, batch_size=1, num_workers=workers)
    with pytest.raises(UserError) as caught:
        list(loader)
    assert str(caught.value).startswith(f"{path}, row 1: the image cannot be read: ")
    assert "Traceback" not in str(caught.value)


def test_a_batch_of_several_captions_of_an_image_decodes_it_once(
    source: TableExamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    original = TableExamples.value

    def value(self: TableExamples, index: int, column: str) -> Any:
        if column == "image":
            read.append(index)
        return original(self, index, column)

    monkeypatch.setattr(TableExamples, "value", value)
    transform = ImageTransform(["imagenet"], SIZE, STATISTICS)
    batch = next(iter(evaluate(source, transform, None, {}, batch_size=18)))
    assert batch.row is not None
    assert batch.pixels is not None
    assert len(read) == len(set(batch.row.tolist())) < 18
    for row, key in enumerate(batch.row.tolist()):
        assert torch.equal(batch.pixels[row], batch.pixels[batch.row.tolist().index(key)])


def test_making_batches_leaves_the_global_generators_alone(source: TableExamples, text: TextProcessor) -> None:
    """Dropout of a resumed run would differ otherwise."""
    torch.manual_seed(0)
    state, numpy_state = torch.get_rng_state(), pickle.dumps(np.random.get_state())
    list(train(source, text, num_workers=1))
    list(train(source, text))
    assert torch.equal(state, torch.get_rng_state())
    assert numpy_state == pickle.dumps(np.random.get_state())


def test_what_goes_to_workers_is_small(source: TableExamples, text: TextProcessor) -> None:
    assert len(pickle.dumps(source)) < 2000
    assert len(pickle.dumps(text)) < 20_000


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counts memory as Linux tells it")
def test_memory_stays_flat_over_an_epoch_with_workers(
    tmp_path: Path, write_table: WriteTable, make_picture: Any
) -> None:
    """Workers that have read a file of 300 MB are as large as at the start."""
    pictures = [
        make_picture(seed, size=(64, 64)) + bytes(150_000) for seed in range(20)
    ]  # what follows a PNG is ignored
    path = write_table(
        tmp_path / "t.arrow",
        {"image": pictures * 100, "caption": pa.array([["a caption"] * 2] * 2000, pa.list_(pa.string()))},
        rows_a_batch=100,
    )
    source = TableExamples([path], DataNeeds(CAPTIONS, image=True, text=True))
    text = TextProcessor(build_vocabulary(source.texts, None), max_text_len=6)
    sizes: dict[int, list[int]] = {}
    for batch in train(source, text, collates={"who": MemoryDraw()}, batch_size=20, total_batches=200, num_workers=2):
        process, size = batch.collated["who"]["size"].tolist()
        sizes.setdefault(process, []).append(size)
    assert len(sizes) == 2
    for measured in sizes.values():
        assert max(measured) - min(measured) < 80e6
        assert np.mean(measured[-30:]) < 15e6 + np.mean(measured[10:40])


class MemoryDraw:
    """Tells how much memory the drawing process has."""

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        return {"size": torch.tensor([os.getpid(), int(Path("/proc/self/statm").read_text().split()[1]) * 4096])}
