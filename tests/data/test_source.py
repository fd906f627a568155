"""Examples of joined tables, against lists that are built the plain way."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from renaissance.data.examples.belonging import belongs, words_of
from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.data.examples.tables import TableExamples, open_split
from renaissance.data.tables.find import splits_there
from renaissance.data.tables.table import LABEL_NAMES_KEY
from renaissance.errors import UserError
from renaissance.settings import Settings

from .conftest import WriteTable
from .schemas import REVIEWS

MakeSettings = Callable[..., Settings]
NEEDS = DataNeeds(CAPTIONS, image=True, text=True)
FAMILIES = (
    [["a", "b"], [], ["c"]],
    [[], ["d", "e", "f"]],
    [["g"]],
)


@pytest.fixture
def joined(tmp_path: Path, write_table: WriteTable) -> list[Path]:
    return [
        write_table(
            tmp_path / f"{number}.arrow",
            {
                "image": [f"image {number} {row}".encode() for row in range(len(captions))],
                "caption": pa.array(captions, pa.list_(pa.string())),
            },
            rows_a_batch=2,
        )
        for number, captions in enumerate(FAMILIES)
    ]


def naive() -> list[tuple[int, bytes, str]]:
    """(image key, image, caption) of every example."""
    rows = [
        (f"image {number} {row}".encode(), captions)
        for number, family in enumerate(FAMILIES)
        for row, captions in enumerate(family)
    ]
    return [(key, image, caption) for key, (image, captions) in enumerate(rows) for caption in captions]


def test_examples_are_captions_over_all_tables(joined: list[Path]) -> None:
    source = TableExamples(joined, NEEDS)
    read = [(source.row_of(i), source.value(i, "image"), source.value(i, "text")) for i in range(len(source))]
    assert read == naive()
    assert list(source.texts()) == [caption for _, _, caption in naive()]
    for key in range(source.rows):
        assert list(source.of_row(key)) == [i for i, (k, _, _) in enumerate(naive()) if k == key]


def test_what_belongs_together_by_chance(tmp_path: Path, write_table: WriteTable) -> None:
    """The same file in another table, and the same words below another image."""
    texts = ([["A dog.", "it runs"], ["a cat"]], [["another view"], ["two  dogs", "a DOG"], ["a cat!"]])
    images = ([b"dog", b"cat"], [b"dog", b"dogs", b"tac"])
    paths = [
        write_table(
            tmp_path / f"{number}.arrow",
            {"image": images[number], "caption": pa.array(texts[number], pa.list_(pa.string()))},
        )
        for number in (0, 1)
    ]
    source = TableExamples(paths, NEEDS)
    examples = [
        (image, [" ".join(re.findall("[a-z]+", other.lower())) for other in captions], place)
        for own_images, own_texts in zip(images, texts, strict=True)
        for image, captions in zip(own_images, own_texts, strict=True)
        for place in range(len(captions))
    ]
    for text, (text_image, captions, place) in enumerate(examples):
        for image, (other_image, other_captions, _) in enumerate(examples):
            expected = text_image == other_image or captions[place] in other_captions
            assert belongs(source, text, image) == expected, (text, image)


def test_examples_are_rows_where_no_text_is_read(joined: list[Path]) -> None:
    source = TableExamples(joined, DataNeeds(CAPTIONS, image=True, text=False))
    assert [source.row_of(i) for i in range(len(source))] == list(range(6))
    assert source.value(4, "image") == b"image 1 1"
    assert source.of_row(4) == range(4, 5)


def test_no_example_lies_outside(joined: list[Path]) -> None:
    source = TableExamples(joined, NEEDS)
    for index in (-1, len(source)):
        with pytest.raises(IndexError):
            source.value(index, "text")
    with pytest.raises(IndexError):
        source.of_row(source.rows)


def test_a_pickled_source_opens_its_tables_itself(joined: list[Path]) -> None:
    source = TableExamples(joined, NEEDS)
    pickled = pickle.dumps(source)
    assert len(pickled) < 2000
    assert pickle.loads(pickled).value(3, "text") == source.value(3, "text")


def test_a_forked_process_opens_its_tables_itself(joined: list[Path]) -> None:
    source = TableExamples(joined, NEEDS)
    inherited = source._opened()
    reader, writer = get_context("fork").Pipe(duplex=False)

    def read() -> None:
        writer.send((source.value(2, "text"), source._opened() is inherited))

    child = get_context("fork").Process(target=read)
    child.start()
    text, same = reader.recv()
    child.join()
    assert text == source.value(2, "text")
    assert not same
    assert source._opened() is inherited


def test_tables_that_changed_under_way_are_noticed(joined: list[Path], write_table: WriteTable) -> None:
    pickled = pickle.dumps(TableExamples(joined, NEEDS))
    write_table(joined[2], {"image": [b"x"], "caption": pa.array([["1", "2"]], pa.list_(pa.string()))})
    with pytest.raises(UserError, match="changed while they were in use"):
        pickle.loads(pickled).value(0, "text")


def test_a_table_that_is_cut_off_under_way_is_named(joined: list[Path]) -> None:
    """Reading it on would be a bus error, which ends the process without a word."""
    source = TableExamples(joined, NEEDS)
    assert source.value(0, "text") == "a"
    size = joined[0].stat().st_size
    os.truncate(joined[0], 8)
    for read in (lambda index: source.value(index, "text"), lambda index: source.value(index, "image"), source.row_of):
        with pytest.raises(UserError, match=rf"0\.arrow was cut off while it was in use: it had {size:,} bytes, now 8"):
            read(0)
    assert source.value(3, "text") == "d", "the others are still read"


def test_labels_and_their_names(tmp_path: Path, write_table: WriteTable) -> None:
    names = {LABEL_NAMES_KEY: b'["no", "yes"]'}
    needs = DataNeeds(REVIEWS, image=False, text=True)
    good = write_table(tmp_path / "good.arrow", {"text": ["x", "y"], "label": [1, 0]}, metadata=names)
    source = TableExamples([good, good], needs)
    assert source.class_names == ["no", "yes"]
    assert [source.value(i, "label") for i in range(4)] == [1, 0, 1, 0]
    unnamed = write_table(tmp_path / "unnamed.arrow", {"text": ["x"], "label": [1]})
    with pytest.raises(UserError, match=r"unnamed\.arrow has the classes None, but .*good\.arrow has \['no', 'yes'\]"):
        TableExamples([good, unnamed], needs)
    swapped = {LABEL_NAMES_KEY: b'["yes", "no"]'}
    other = write_table(tmp_path / "other.arrow", {"text": ["x", "y"], "label": [1, 0]}, metadata=swapped)
    joined = TableExamples([good, other], needs)
    assert [joined.value(i, "label") for i in range(4)] == [1, 0, 0, 1], "classes go by their names"
    joined.adopt_classes(["maybe", "yes", "no"], "the checkpoint has")
    assert [joined.value(i, "label") for i in range(4)] == [1, 2, 2, 1]
    assert [pickle.loads(pickle.dumps(joined)).value(i, "label") for i in range(4)] == [1, 2, 2, 1]
    with pytest.raises(UserError, match=r"the checkpoint has \['yes'\]: no is unknown there"):
        joined.adopt_classes(["yes"], "the checkpoint has")
    for label in (2, -1):
        bad = write_table(tmp_path / "bad.arrow", {"text": ["x"], "label": [label]}, metadata=names)
        with pytest.raises(UserError, match=r"bad\.arrow.*'label'.*between 0 and 1"):
            TableExamples([bad], needs)


def test_coco_reads_train_and_restval_and_does_without_restval(
    tmp_path: Path, write_table: WriteTable, make_settings: MakeSettings
) -> None:
    def write(split: str, caption: str) -> None:
        columns = {"image": [b"x"], "caption": pa.array([[caption]], pa.list_(pa.string()))}
        write_table(tmp_path / f"coco_caption_karpathy_{split}.arrow", columns)

    settings = make_settings(datasets=["coco"], data_root=str(tmp_path))
    write("train", "one")
    assert list(open_split(settings, NEEDS, "train").texts()) == ["one"]
    write("restval", "two")
    assert list(open_split(settings, NEEDS, "train").texts()) == ["one", "two"]
    write("val", "three")
    write("test", "four")
    assert list(open_split(settings, NEEDS, "val").texts()) == ["three"]  # ViLT's reader takes test here
    assert list(open_split(settings, NEEDS, "test").texts()) == ["four"]


def test_published_shards_are_joined(tmp_path: Path, write_table: WriteTable, make_settings: MakeSettings) -> None:
    for shard in (0, 3):
        columns = {"image": [b"x"], "caption": pa.array([[str(shard)]], pa.list_(pa.string()))}
        write_table(tmp_path / f"sbu_{shard}.arrow", columns)
    settings = make_settings(datasets=["sbu"], data_root=str(tmp_path))
    assert list(open_split(settings, NEEDS, "train").texts()) == ["0", "3"]
    assert "val" not in splits_there(settings, "caption")


def test_missing_tables_are_named(tmp_path: Path, write_table: WriteTable, make_settings: MakeSettings) -> None:
    settings = make_settings(datasets=["coco", "vg"], data_root=str(tmp_path))
    with pytest.raises(
        UserError, match=r"coco_caption_karpathy_train\.arrow is missing.*prepare.*Tables there now: none"
    ):
        open_split(settings, NEEDS, "train")
    columns = {"image": [b"x"], "caption": pa.array([["a"]], pa.list_(pa.string()))}
    for split in ("train", "restval"):
        write_table(tmp_path / f"coco_caption_karpathy_{split}.arrow", columns)
    with pytest.raises(UserError, match=r"'vg'.*vg\.arrow is missing"):
        open_split(settings, NEEDS, "train")
    (tmp_path / "coco_caption_karpathy_train.arrow").unlink()
    with pytest.raises(UserError, match=r"karpathy_train\.arrow is missing"):  # restval alone is not enough
        open_split(settings.model_copy(update={"datasets": ["coco"]}), NEEDS, "train")


def test_two_names_of_the_same_tables_are_refused(
    tmp_path: Path, write_table: WriteTable, make_settings: MakeSettings
) -> None:
    write_table(tmp_path / "coco_caption_karpathy_train.arrow", {"image": [b"1"], "caption": [["one"]]})
    settings = make_settings(datasets=["coco", "coco_caption_karpathy"], data_root=str(tmp_path))
    with pytest.raises(UserError, match=r"names .*coco_caption_karpathy_train\.arrow twice"):
        open_split(settings, DataNeeds(CAPTIONS, image=True, text=True), "train")


def test_an_unknown_name_gets_near_ones(tmp_path: Path, write_table: WriteTable, make_settings: MakeSettings) -> None:
    columns = {"image": [b"x"], "caption": pa.array([["a"]], pa.list_(pa.string()))}
    write_table(tmp_path / "flickr8k_train.arrow", columns)
    good = make_settings(datasets=["flickr8k"], data_root=str(tmp_path))
    assert len(open_split(good, NEEDS, "train")) == 1
    assert "val" not in splits_there(good, "caption")
    bad = make_settings(datasets=["flikr8k"], data_root=str(tmp_path))
    with pytest.raises(UserError, match=r"'flikr8k'.*Did you mean flickr8k"):
        open_split(bad, NEEDS, "train")


def test_a_schema_that_no_data_set_has(tmp_path: Path, make_settings: MakeSettings) -> None:
    settings = make_settings(datasets=["coco"], data_root=str(tmp_path))
    with pytest.raises(UserError, match=r"no imdb examples; data sets with such examples: imdb, scenes"):
        open_split(settings, DataNeeds(REVIEWS, image=False, text=True), "train")


def test_an_unknown_name_where_captions_are_of_no_use(tmp_path: Path, make_settings: MakeSettings) -> None:
    settings = make_settings(datasets=["reviews"], data_root=str(tmp_path))
    with pytest.raises(
        UserError, match=r"'reviews', and there is no such data set; data sets with imdb examples: imdb, "
    ):
        open_split(settings, DataNeeds(REVIEWS, image=False, text=True), "train")


def test_an_empty_split_is_an_error(tmp_path: Path, write_table: WriteTable, make_settings: MakeSettings) -> None:
    columns = {"image": [b"x"], "caption": pa.array([[]], pa.list_(pa.string()))}
    write_table(tmp_path / "none_train.arrow", columns)
    with pytest.raises(UserError, match="train split is empty"):
        open_split(make_settings(datasets=["none"], data_root=str(tmp_path)), NEEDS, "train")


MEASURE = """
import sys, time
from pathlib import Path
from renaissance.data.examples.belonging import belongs
from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.data.examples.tables import TableExamples
import numpy as np, pyarrow

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

paths = [Path(path) for path in sys.argv[1:]]
pyarrow.ipc.open_file(str(paths[0])).schema  # what pyarrow loads when it is first used is not the data's
before, start = resident(), time.perf_counter()
source = TableExamples(paths, DataNeeds(CAPTIONS, image=True, text=True))
seconds, opened = time.perf_counter() - start, resident() - before
order, most = np.random.default_rng(0).permutation(len(source))[:200_000].tolist(), 0
for number, index in enumerate(order):
    source.value(index, "text"), source.row_of(index), source.value(index, "image")
    if number % 1000 == 0:
        most = max(most, resident() - before)
print(len(source), seconds, opened, most)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counts memory as Linux tells it")
def test_five_million_captions_open_at_once_and_take_no_memory(tmp_path: Path) -> None:
    """Twelve tables as large as VG and GCC together: opened within a second, less than 100 MB, while being read too."""
    rows, texts = 50_000, 9
    text = pa.array([f"the caption number {number} of a table of many captions" for number in range(rows * texts)])
    captions = pa.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * texts, text)
    table = pa.table({"image": pa.array([b"x" * 500] * rows), "caption": captions})
    paths = [tmp_path / f"{number}.arrow" for number in range(12)]
    for path in paths:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=1000)
    # Once to have the files in the system's cache, as they are when they have just been written or used.
    runs = [
        subprocess.run([sys.executable, "-c", MEASURE, *map(str, paths)], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    number, seconds, opened, most = (float(value) for value in runs[-1].stdout.split())
    assert number == 12 * rows * texts > 5_000_000
    assert seconds < 1
    assert opened < 100e6
    assert most < 150e6


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("a dog, running!", "a dog running", True),
        ("\u0915\u093e\u0932\u093e", "\u0915\u0940\u0932", False),  # Hindi: black, nail; the same consonants
        ("a dog \U0001f415", "a dog", False),
        ("...", "!", False),
    ],
)
def test_captions_are_equal_where_their_words_are(one, other, equal):
    assert (words_of(one) == words_of(other)) is equal
