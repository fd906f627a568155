"""Columns of every type in tables that others write: read as pyarrow reads them, or refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from renaissance.data.examples.schema import Column, DataNeeds, Schema
from renaissance.data.examples.tables import TableExamples
from renaissance.data.tables.columns import ColumnError, TextColumn
from renaissance.data.tables.table import LABEL_NAMES_KEY
from renaissance.errors import UserError

from .conftest import WriteTable

CLASSES = ("no", "maybe", "yes")
EVERYTHING = Schema(
    "everything",
    {
        "image": Column("image", "image"),
        "text": Column("texts", "text", per_text=True),
        "text_pair": Column("others", "text", per_text=True),
        "title": Column("title", "text"),
        "label": Column("labels", "class", per_text=True, optional=True),
        "kind": Column("kind", "class", optional=True),
        "answers": Column("answers", "classes", per_text=True, optional=True),
        "scores": Column("scores", "numbers", per_text=True, optional=True),
        "boxes": Column("boxes", "boxes", optional=True),
        "id": Column("ids", "id", per_text=True, optional=True),
    },
    class_names=CLASSES,
)
NEEDS = DataNeeds(EVERYTHING, image=True, text=True)
# By column a value a row, or a list of a value a text. The second table lacks what is optional.
ROWS: dict[str, list[Any]] = {
    "image": [b"one", b"", b"three", b"4"],
    "texts": [["a", "bé"], [], ["c"], ["d", "", "f"]],
    "others": [["A", "B"], [], ["C"], ["D", "E", "F"]],
    "title": ["first", "second", "", "fourth"],
    "labels": [[0, 2], [], None, [1, None, -1]],
    "kind": [2, 0, None, 1],
    "answers": [[[0, 1], []], [], [[2]], None],
    "scores": [[[0.5, 1.0], []], [], [[0.25]], None],
    "boxes": [[[1, 2, 3, 4], [5, 6, 7.5, 8]], None, [], [[0, 0, 1, 1]]],
    "ids": [[7, 8], [], [None], [9, 10, 11]],
}


def write_rows(write: WriteTable, path: Path, rows: Mapping[str, Sequence[Any]], batch: int | None = None) -> Path:
    return write(path, dict(rows), batch)


def expected(rows: Mapping[str, Sequence[Any]], stem: str) -> list[dict[str, Any]]:
    """The examples of rows, told the plain way."""

    def label(value: int | None) -> int | None:
        return None if value in (None, -1) else value

    found: list[dict[str, Any]] = []
    for row, texts in enumerate(rows["texts"]):
        for place, text in enumerate(texts):
            of_text = {
                name: (rows[name][row] or [None] * len(texts))[place] if name in rows else None
                for name in ("labels", "answers", "scores", "ids")
            }
            found.append(
                {
                    "image": rows["image"][row],
                    "text": text,
                    "text_pair": rows["others"][row][place],
                    "title": rows["title"][row],
                    "label": label(of_text["labels"]),
                    "kind": label(rows["kind"][row]) if "kind" in rows else None,
                    "answers": of_text["answers"] or [],
                    "scores": of_text["scores"] or [],
                    "boxes": (rows["boxes"][row] or []) if "boxes" in rows else [],
                    "id": f"{stem}/{len(found)}" if of_text["ids"] is None else str(of_text["ids"]),
                }
            )
    return found


def read(examples: TableExamples) -> list[dict[str, Any]]:
    return [{role: examples.value(index, role) for role in NEEDS.columns()} for index in range(len(examples))]


@pytest.mark.parametrize("batch", [None, 1, 3])
def test_every_type_is_read_over_tables_and_batches_and_in_another_process(
    tmp_path: Path, write_table: WriteTable, batch: int | None
) -> None:
    few = {name: rows for name, rows in ROWS.items() if name in ("image", "texts", "others", "title")}
    paths = [
        write_rows(write_table, tmp_path / "full.arrow", ROWS, batch),
        write_rows(write_table, tmp_path / "few.arrow", few, batch),
        write_rows(write_table, tmp_path / "more.arrow", ROWS, batch),
    ]
    wanted = [*expected(ROWS, "full"), *expected(few, "few"), *expected(ROWS, "more")]
    examples = TableExamples(paths, NEEDS)
    assert read(examples) == wanted
    with get_context("spawn").Pool(1) as pool:
        assert pool.apply(read, (pickle.loads(pickle.dumps(examples)),)) == wanted
    assert examples.has("boxes") is False
    assert TableExamples(paths[:1], NEEDS).has("boxes")


def test_large_types_and_lists_of_a_fixed_size_are_read_alike(tmp_path: Path, write_table: WriteTable) -> None:
    rows = {
        **ROWS,
        "texts": pa.array(ROWS["texts"], pa.large_list(pa.large_string())),
        "labels": pa.array(ROWS["labels"], pa.large_list(pa.int8())),
        "answers": pa.array(ROWS["answers"], pa.large_list(pa.large_list(pa.uint16()))),
        "scores": pa.array(ROWS["scores"], pa.list_(pa.list_(pa.float64()))),
        "boxes": pa.array(ROWS["boxes"], pa.list_(pa.list_(pa.float32(), 4))),
        "ids": pa.array(
            [[str(one) if one else None for one in ids] for ids in ROWS["ids"]], pa.list_(pa.large_string())
        ),
    }
    assert read(TableExamples([write_table(tmp_path / "t.arrow", rows)], NEEDS)) == expected(ROWS, "t")


@pytest.mark.parametrize(
    "named", [[["no", "yes"], [], None, ["maybe", None, "yes"]], [[[0], [2]], [], None, [[1], None, [2]]]]
)
def test_classes_go_by_name_or_lie_in_lists_of_one(tmp_path: Path, write_table: WriteTable, named: list[Any]) -> None:
    examples = TableExamples([write_table(tmp_path / "t.arrow", {**ROWS, "labels": named})], NEEDS)
    assert [examples.value(index, "label") for index in range(6)] == [0, 2, None, 1, None, 2]


def test_class_names_of_several_tables_go_by_name(tmp_path: Path, write_table: WriteTable) -> None:
    """Numbers and names alike, and lists of them."""
    orders = (["no", "maybe", "yes"], ["yes", "no"], ["maybe", "yes"])
    paths = []
    for number, order in enumerate(orders):
        rows = {"texts": [["x"], ["y"]], "others": [["x"], ["y"]], "title": ["", ""], "image": [b"", b""],
                "kind": [0, 1], "labels": [[order[1]], [order[0]]], "answers": [[[1, 0]], [[]]]}  # fmt: skip
        metadata = {LABEL_NAMES_KEY: str(order).replace("'", '"').encode()}
        paths.append(write_table(tmp_path / f"{number}.arrow", rows, None, metadata))
    examples = TableExamples(paths, NEEDS)

    def names(role: str) -> list[Any]:
        values = [examples.value(index, role) for index in range(6)]
        return [[CLASSES[n] for n in value] if isinstance(value, list) else CLASSES[value] for value in values]

    assert names("kind") == [name for order in orders for name in order[:2]]
    assert names("label") == [name for order in orders for name in order[1::-1]]
    assert names("answers") == [value for order in orders for value in (order[1::-1], [])]


BAD: list[tuple[str, Any, str]] = [
    ("labels", [[0], [], [1], [1, 1, 1]], r"row 0 has 1 values in 'labels' and 2 texts"),
    ("labels", [[0, 1, 2], [], [1], [1, 1, 1]], r"row 0 has 3 values in 'labels' and 2 texts"),
    ("labels", [[0, 1], [], [1], [1, 1, 3]], r"'labels' holds labels from 0 to 3, .* between 0 and 2"),
    ("labels", [[0, -2], [], [1], [1, 1, 1]], r"'labels' holds labels from -2 to 1"),
    ("labels", [["no", "No"], [], ["no"], ["no"] * 3], r"'labels' has the class 'No', which is none of \['no', 'maybe"),
    ("labels", [[0.0, 1.0], [], [1.0], [1.0] * 3], r"'labels' should hold class, but holds list<.*double"),
    ("labels", [[{"a": 1}] * 2, [], [{}], [{}] * 3], r"'labels' should hold class, but holds .*struct"),
    ("labels", [[[0, 1], [1]], [], [[1]], [[1]] * 3], r"'labels' has several classes for one example"),
    ("labels", [0, 1, 1, 1], r"'labels' should hold class, but holds int64"),
    ("kind", [0, 1, 3, 1], r"'kind' holds labels from 0 to 3"),
    ("answers", [[[0, None], []], [], [[2]], [[], [], []]], r"'answers' has an empty value"),
    ("answers", [[0, 1], [], [2], [0, 0, 0]], r"'answers' should hold classes, but holds list<.*int64>"),
    ("answers", [[["si"], []], [], [[]], [[], [], []]], r"'answers' has the class 'si'"),
    ("scores", [[["1"], []], [], [[]], [[], [], []]], r"'scores' should hold numbers, but holds list<"),
    ("scores", [[[1.0, float("nan")], []], [], [[]], [[], [], []]], r"'scores' has a number that is not finite"),
    ("boxes", [[[1, 2, 3]], [], [], []], r"'boxes' has a box that is not four numbers"),
    ("boxes", [[[1, 2, 3, None]], [], [], []], r"'boxes' has an empty value"),
    ("boxes", [[None], [[1, 2, 3, 4]], [], []], r"'boxes' has a box that is not four numbers"),
    ("boxes", [[1, 2, 3, 4], [], [], []], r"'boxes' should hold boxes, but holds list<.*int64>"),
    ("boxes", ["1,2,3,4", "", "", ""], r"'boxes' should hold boxes, but holds string"),
    ("ids", [[[1], [2]], [], [[3]], [[4]] * 3], r"'ids' should hold id, but holds list<.*list<"),
    ("others", [["A"], ["B"], ["C"], ["D", "E", "F"]], r"row 0 has 1 values in 'others' and 2 texts"),
    ("title", [["one"], ["two"], [], ["three", "four"]], r"'title' has no text in row 2"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "values", "message"), BAD)
def test_what_tasks_cannot_take_is_refused_when_the_table_is_opened(
    tmp_path: Path, write_table: WriteTable, column: str, values: list[Any], message: str
) -> None:
    path = write_table(tmp_path / "odd.arrow", {**ROWS, column: values}, 2)
    with pytest.raises(UserError, match=rf"odd\.arrow.*{message}"):
        TableExamples([path], NEEDS)


@pytest.mark.parametrize("values", [[["no", None]], [[0, None]], [None], [[]], [[0, -1]]])
def test_a_column_that_has_to_be_there_has_no_empty_values(
    tmp_path: Path, write_table: WriteTable, values: list[Any]
) -> None:
    columns = {"text": Column("texts", "text", per_text=True), "label": Column("labels", "class", per_text=True)}
    needs = DataNeeds(Schema("s", columns, class_names=CLASSES), image=False, text=True)
    path = write_table(tmp_path / "odd.arrow", {"texts": [["a", "b"]], "labels": values})
    with pytest.raises(UserError, match=r"odd\.arrow.*'labels'"):
        TableExamples([path], needs)
    with pytest.raises(UserError, match=r"odd\.arrow has no column 'labels'"):
        TableExamples([write_table(tmp_path / "odd.arrow", {"texts": [["a", "b"]]})], needs)


# SNLI-VE's sentences as published tables have them, and what holds a string otherwise.
NESTED: list[tuple[Any, list[Any]]] = [
    (pa.list_(pa.list_(pa.string())), [[["1", "a"], ["b"]], [], None, [["2", "é", "c"]]]),
    (pa.large_list(pa.list_(pa.large_string())), [[["1", "a"], ["b"]], [], None, [["2", "é", "c"]]]),
    (pa.list_(pa.struct([("number", pa.int64()), ("words", pa.string())])),
     [[{"number": 1, "words": "a"}, {"number": 2, "words": "b"}], [], None, [{"number": 3, "words": "c"}]]),
    (pa.list_(pa.struct([("name", pa.string()), ("words", pa.string()), ("number", pa.int8())])),
     [[{"name": "x", "words": "a", "number": 0}, {"name": "y", "words": "b", "number": 0}], [], None,
      [{"name": "z", "words": "c", "number": 0}]]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "rows"), NESTED)
@pytest.mark.parametrize("batch", [None, 1, 2])
def test_nested_texts_are_those_of_pyarrow_also_of_slices(
    tmp_path: Path, write_table: WriteTable, kind: pa.DataType, rows: list[Any], batch: int | None
) -> None:
    texts = [["a", "b"], [], [], ["c"]]
    array = pa.array(rows, kind)
    path = write_table(tmp_path / "t.arrow", {"texts": array}, batch)
    needs = DataNeeds(Schema("s", {"text": Column("texts", "text", per_text=True)}), image=False, text=True)
    examples = TableExamples([path], needs)
    assert [examples.value(index, "text") for index in range(3)] == ["a", "b", "c"]
    assert [examples.row_of(index) for index in range(3)] == [0, 0, 3]
    assert list(examples.texts()) == ["a", "b", "c"]
    for start in range(4):
        for length in range(1, 5 - start):
            sliced = TextColumn([array.slice(start, length), array.slice(0, start)])
            own = texts[start : start + length] + texts[:start]
            assert list(sliced) == [text for row in own for text in row]
            assert [[sliced[number] for number in sliced.of_row(row)] for row in range(len(own))] == own
            assert sliced.counts().tolist() == [len(row) for row in own]


def test_an_inner_list_without_a_text_is_damage(tmp_path: Path) -> None:
    with pytest.raises(ColumnError, match="holds no text"):
        TextColumn([pa.array([[["a"], []]], pa.list_(pa.list_(pa.string())))])


FUZZ = """
import sys
import numpy as np
from pathlib import Path
from renaissance.data.examples.tables import TableExamples
from renaissance.errors import UserError
from tests.data.test_columns_of_tables import NEEDS, read
path, random = Path(sys.argv[1]), np.random.default_rng(int(sys.argv[2]))
whole, refused, other = path.read_bytes(), 0, []
for _ in range(400):
    data = bytearray(whole)
    for place in random.integers(len(whole), size=3):
        data[place] = random.integers(256)
    path.write_bytes(data)
    try:
        read(TableExamples([path], NEEDS))
    except UserError:
        refused += 1
    except Exception as error:
        other.append(repr(error))
print(refused, other)
"""


@pytest.mark.parametrize("seed", [0, 1])
def test_a_damaged_table_is_wrong_or_refused_but_never_a_crash(
    tmp_path: Path, write_table: WriteTable, seed: int
) -> None:
    """In a process of its own: offsets that go backwards, no UTF-8, bits of validity, whatever three bytes can do."""
    rows = {**ROWS, "texts": pa.array([[["1", text] for text in row] for row in ROWS["texts"]]),
            "labels": [["no", "yes"], [], None, ["maybe", None, "yes"]]}  # fmt: skip
    path = write_table(tmp_path / "t.arrow", rows, 2)
    run = subprocess.run(
        [sys.executable, "-c", FUZZ, str(path), str(seed)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    refused, other = run.stdout.strip().split(" ", 1)
    assert int(refused) > 0
    assert other == "[]"


def test_what_is_no_utf8_is_refused_in_ids_and_shown_as_such_in_texts(tmp_path: Path, write_table: WriteTable) -> None:
    path = write_table(tmp_path / "t.arrow", {**ROWS, "ids": [["unusual1", "2"], [], ["3"], ["4", "5", "6"]]})
    path.write_bytes(path.read_bytes().replace(b"unusual1", b"unusual\xff"))
    with pytest.raises(UserError, match=r"t\.arrow: the column 'ids' is damaged.*UTF8"):
        TableExamples([path], NEEDS)
    path = write_table(tmp_path / "t.arrow", {**ROWS, "title": ["unusual1", "", "", ""]})
    path.write_bytes(path.read_bytes().replace(b"unusual1", b"unusual\xff"))
    assert TableExamples([path], NEEDS).value(0, "title") == "unusual\N{REPLACEMENT CHARACTER}"


def test_offsets_of_plain_values_that_go_backwards_are_damage(tmp_path: Path) -> None:
    offsets = pa.py_buffer(np.array([0, 2, 1], np.int32).tobytes())
    broken = pa.Array.from_buffers(pa.list_(pa.int64()), 2, [None, offsets], children=[pa.array([1, 2])])
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as file:
        batch = pa.record_batch({"texts": pa.array([["a", "b"], []]), "labels": broken})
        with pa.ipc.new_file(file, batch.schema) as writer:
            writer.write_batch(batch)
    columns = {"text": Column("texts", "text", per_text=True), "label": Column("labels", "class", per_text=True)}
    with pytest.raises(UserError, match=r"t\.arrow"):
        TableExamples([tmp_path / "t.arrow"], DataNeeds(Schema("s", columns), image=False, text=True))
