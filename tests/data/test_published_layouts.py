"""Tables as the published writers leave them: nested lists, numbered sentences, classes by number or by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from renaissance.data.examples.tables import TableExamples
from renaissance.data.tables.table import with_label_names
from renaissance.tasks.registry import declaration_of

SENTENCES = [["a dog runs", "a cat sleeps"], ["two men"], ["it rains", "it snows", "nobody is there"]]
LABELS = [[2, 0], [1], [0, 2, 1]]
CLASSES = ("contradiction", "neutral", "entailment")
OTHER_ORDER = ("entailment", "contradiction", "neutral")
IMAGES = [b"0", b"1", b"2"]

PAIR_OF_STRINGS = pa.list_(pa.list_(pa.string()))
PAIR = pa.list_(pa.struct([("index", pa.int64()), ("sentence", pa.string())]))
LAYOUTS: dict[str, tuple[pa.DataType, Any, pa.DataType, Any]] = {
    "plain": (pa.list_(pa.string()), SENTENCES, pa.list_(pa.int64()), LABELS),
    "pairs, lists of labels": (
        PAIR_OF_STRINGS,
        [[[str(n), text] for n, text in enumerate(row)] for row in SENTENCES],
        pa.list_(pa.list_(pa.int64())),
        [[[label] for label in row] for row in LABELS],
    ),
    "structures, large lists": (
        PAIR,
        [[{"index": n, "sentence": text} for n, text in enumerate(row)] for row in SENTENCES],
        pa.large_list(pa.list_(pa.int64())),
        [[[label] for label in row] for row in LABELS],
    ),
    "names of classes": (
        pa.list_(pa.string()),
        SENTENCES,
        pa.list_(pa.string()),
        [[CLASSES[label] for label in row] for row in LABELS],
    ),
}


def snli(path: Path, layout: str = "plain", names: tuple[str, ...] | None = None, **columns: pa.Array) -> TableExamples:
    texts, sentences, classes, labels = LAYOUTS[layout]
    table = pa.table({"image": IMAGES, "sentences": pa.array(sentences, texts), "labels": pa.array(labels, classes)})
    for name, values in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, values)
    if names is not None:
        table = table.replace_schema_metadata(with_label_names(table.schema, names).metadata)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)  # texts and labels are counted across record batches
    return TableExamples([path], declaration_of("snli").needs)


def read(examples: TableExamples) -> list[tuple[str, int | None]]:
    return [(examples.value(n, "text"), examples.value(n, "label")) for n in range(len(examples))]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_snli_is_read_like_the_plain_one(tmp_path: Path, layout: str) -> None:
    examples = snli(tmp_path / "snli_train.arrow", layout)
    expected = [(text, label) for row in zip(SENTENCES, LABELS, strict=True) for text, label in zip(*row, strict=True)]
    assert read(examples) == expected
    assert [examples.value(n, "image") for n in range(6)] == [b"0", b"0", b"1", b"2", b"2", b"2"]
    assert examples.class_names == list(CLASSES)
    assert examples.value(3, "id") == "snli_train/3"


def test_classes_in_another_order_are_the_same_classes(tmp_path: Path) -> None:
    train = snli(tmp_path / "snli_train.arrow", names=CLASSES)
    reordered = [[OTHER_ORDER.index(CLASSES[label]) for label in row] for row in LABELS]
    val = snli(tmp_path / "snli_val.arrow", names=OTHER_ORDER, labels=pa.array(reordered))
    assert read(val) != read(train), "as it stands in the table"
    val.adopt_classes(train.class_names, "the training data have")
    assert read(val) == read(train)


@pytest.mark.parametrize("unknown", [-1, None])
def test_labels_that_a_server_keeps_are_unknown(tmp_path: Path, unknown: int | None) -> None:
    labels = pa.array([[unknown] * len(row) for row in LABELS], pa.list_(pa.int64()))
    examples = snli(tmp_path / "snli_test.arrow", labels=labels)
    assert [label for _, label in read(examples)] == [None] * 6
    assert not examples.has("label")
    examples.adopt_classes(OTHER_ORDER, "the checkpoint has")
    assert [label for _, label in read(examples)] == [None] * 6


def test_glues_unknown_labels(tmp_path: Path) -> None:
    path = tmp_path / "mrpc_test.arrow"
    table = pa.table({"text_a": ["a", "b"], "text_b": ["c", "d"], "label": [-1, -1], "text_id": ["0", "1"]})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    examples = TableExamples([path], declaration_of("mrpc").needs)
    assert [examples.value(n, "label") for n in (0, 1)] == [None, None]
    assert not examples.has("label")
