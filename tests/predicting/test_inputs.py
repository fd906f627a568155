"""What is read of a file is what was written into it, whatever wrote it; and what is hostile stays within bounds.

References: the values that were written, and other libraries' readers and writers (`datasets`, pandas).
"""

from __future__ import annotations

import csv
import json
import random
import time
import tracemalloc
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from renaissance.errors import UserError
from renaissance.predicting import windows
from renaissance.predicting.binding import Binding, Bound, Question
from renaissance.predicting.items import ItemMaker
from renaissance.predicting.sources import arrow, parquet
from renaissance.predicting.sources.messages import batch_sizes
from renaissance.predicting.sources.open import open_source

TEXTS = ["a red circle", "", None, "ünï 漢字 🙂", "two\nlines\r\nand\rmore", 'a "quoted", word', "nul \0", "x" * 70_000]


def read(path, columns=None, start=0):
    """The values of a column, or of several by name; a row with a fault is its reason."""
    source = open_source(path)
    rows = list(source.iterate(columns or source.columns, start))
    assert [row.number for row in rows] == list(range(start, start + len(rows)))
    assert source.rows in (None, start + len(rows))
    return [row.fault.reason if row.fault else dict(row.values) for row in rows]


def texts(path, start=0):
    return [row["text"] if isinstance(row, dict) else row for row in read(path, ["text"], start)]


def write_ipc(path, table, new=pa.ipc.new_file, compression=None, rows=3):
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.OSFile(str(path), "wb") as file, new(file, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return path


TYPES = {
    "string": pa.string(), "large_string": pa.large_string(), "string_view": pa.string_view(),
    "dictionary": pa.dictionary(pa.int8(), pa.string()),
    "large_dictionary": pa.dictionary(pa.int32(), pa.large_string()),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_every_type_of_text_of_every_kind_of_file_is_the_same(tmp_path, name):
    kind = TYPES[name]
    plain = pa.array(TEXTS)
    column = plain.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else plain.cast(kind)
    table = pa.table({"text": column, "number": list(range(len(TEXTS)))})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    for new, form in ((pa.ipc.new_file, "file"), (pa.ipc.new_stream, "stream")):
        for compression in (None, "lz4", "zstd"):
            if form == "file" and pa.types.is_dictionary(kind):  # a file's batches share one dictionary
                table = table.unify_dictionaries()
            write_ipc(tmp_path / f"{form}-{compression}.arrow", table, new, compression)
    for path in sorted(tmp_path.iterdir()):
        assert texts(path) == TEXTS, path.name
        assert texts(path, start=4) == TEXTS[4:], path.name
        assert read(path, ["number", "text"])[5] == {"number": 5, "text": TEXTS[5]}


def test_feather_files_as_pandas_writes_them_are_read(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": range(len(TEXTS)), "text": TEXTS, "kind": pandas.Categorical(["a", "b"] * 4)})
    frame.to_feather(tmp_path / "a.feather")  # lz4
    frame.to_parquet(tmp_path / "a.parquet")
    for path in tmp_path.iterdir():
        assert read(path, ["id", "text", "kind"])[3] == {"id": 3, "text": TEXTS[3], "kind": "b"}
        assert texts(path) == TEXTS


def test_images_as_datasets_has_them_are_their_bytes_or_their_paths(tmp_path):
    datasets = pytest.importorskip("datasets")
    values = [{"bytes": b"PNG", "path": None}, {"bytes": None, "path": "a.png"}, {"bytes": b"B", "path": "b.png"}, None]
    features = datasets.Features({
        "image": datasets.Image(decode=False), "text": datasets.List(datasets.Value("string")),
        "label": datasets.ClassLabel(names=["cat", "dog"]),
        "answers": datasets.List(datasets.ClassLabel(names=["no", "yes"])),
    })  # fmt: skip
    columns = {"image": values, "text": [["a", "b"], [], ["c"], None], "label": [1, 0, -1, 1], "answers": [[0]] * 4}
    made = datasets.Dataset.from_dict(columns, features=features)
    write_ipc(tmp_path / "stream.arrow", made.data.table, pa.ipc.new_stream)  # as its cache and `save_to_disk` have it
    pq.write_table(made.data.table, tmp_path / "a.parquet")
    write_ipc(tmp_path / "file.arrow", made.data.table)
    for path in (tmp_path / "stream.arrow", tmp_path / "a.parquet", tmp_path / "file.arrow"):
        rows = read(path)
        assert [row["image"] for row in rows] == [b"PNG", "a.png", b"B", None]
        assert [row["text"] for row in rows] == columns["text"]
        assert open_source(path).label_names == {"label": ["cat", "dog"], "answers": ["no", "yes"]}


def test_metadata_that_may_name_classes_and_cannot_be_read_are_no_guess(tmp_path):
    for key in (b"label_names", b"huggingface"):
        table = pa.table({"text": ["a"], "label": [0]}).replace_schema_metadata({key: b'{"info": ['})
        pq.write_table(table, tmp_path / "a.parquet")
        with pytest.raises(UserError, match=f"a.parquet: its metadata '{key.decode()}'"):
            open_source(tmp_path / "a.parquet")


def test_two_columns_of_one_name_are_refused_by_every_kind_of_file(tmp_path):
    twice = pa.Table.from_arrays([pa.array(["first"]), pa.array(["second"])], ["text", "text"])
    pq.write_table(twice, tmp_path / "a.parquet")
    write_ipc(tmp_path / "a.arrow", twice)
    (tmp_path / "a.csv").write_text("text,text\nfirst,second\n")
    for path in tmp_path.iterdir():
        with pytest.raises(UserError, match=r"two columns of one name|a column is named twice"):
            open_source(path)
    (tmp_path / "a.jsonl").write_text('{"text": "first", "text": "second"}\n')
    assert read(tmp_path / "a.jsonl") == ["a key stands in it twice"]


def test_columns_in_structures_are_not_taken_for_others(tmp_path):
    table = pa.table({"text": [{"a": "inner", "b": [["x"], []]}], "text.a": ["outer"], "text.1": ["other"]})
    pq.write_table(table, tmp_path / "a.parquet")
    write_ipc(tmp_path / "a.arrow", table)
    write_ipc(tmp_path / "b.arrow", table, compression="zstd")
    for path in tmp_path.iterdir():
        assert texts(path) == [{"a": "inner", "b": [["x"], []]}]
        assert read(path, ["text.a"])[0]["text.a"] == "outer"
        assert read(path) == table.to_pylist()


def test_fields_of_csv_are_as_they_were_written(tmp_path):
    found = [(str(number), text) for number, text in enumerate(TEXTS) if text and "\0" not in text]
    for name, encoding, end in (("a", "utf-8", "\r\n"), ("b", "utf-8-sig", "\n")):
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding=encoding) as file:
            csv.writer(file, lineterminator=end).writerows([("id", "text"), *found])
        assert [(row["id"], row["text"]) for row in read(tmp_path / f"{name}.csv")] == found
    (tmp_path / "c.csv").write_bytes(b"text\na\n  \n\n\xe9\nb\0c\n" + b"x" * (17 << 20) + b"\nlast\n")
    reasons = ["it should be UTF-8 text, and holds the byte 0xe9", "it holds a NUL character", "it has more than"]
    rows = texts(tmp_path / "c.csv")
    assert [rows[0], rows[1], rows[5]] == ["a", "  ", "last"]  # spaces may be the only field of a row
    assert all(row.startswith(reason) for row, reason in zip(rows[2:5], reasons, strict=True))


def test_lines_that_are_no_objects_cost_themselves(tmp_path):
    lines = ["[1]", '"x"', "3", "null", '{"text": "a"} x', "[" * 100_000, "9" * 5000, '{"text": "last", "n": 1e400}']
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(['{"text": "first"}', *lines]).encode())
    rows = read(tmp_path / "a.jsonl")
    assert (rows[0], rows[-1]) == ({"text": "first"}, {"text": "last", "n": float("inf")})
    assert all(isinstance(row, str) and row.startswith("it is no JSON") for row in rows[1:-1])


def test_nothing_is_read_of_files_without_rows(tmp_path):
    nothing = pa.table({"text": pa.array([], pa.string())})
    pq.write_table(nothing, tmp_path / "a.parquet")
    write_ipc(tmp_path / "a.arrow", nothing)
    write_ipc(tmp_path / "b.arrow", nothing, pa.ipc.new_stream)
    feather.write_feather(nothing, tmp_path / "a.feather")
    (tmp_path / "a.csv").write_text("text")
    for path in tmp_path.iterdir():
        assert open_source(path).columns == ["text"], path.name
        assert read(path) == []
    for name in ("b.csv", "b.parquet", "c.arrow"):
        (tmp_path / name).touch()
        with pytest.raises(UserError, match=f"{name} is "):
            open_source(tmp_path / name)


def test_links_are_followed_once_and_hidden_files_are_left_out(tmp_path):
    folder = tmp_path / "images"
    for name in ("b/1.png", "b/deep/2.JPG", "b/.hidden/3.png", "._4.png", "5.png", "6.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "7.png").touch()
    links = {"link": tmp_path / "elsewhere", "b/loop": folder, "z": folder / "b", "8.png": folder / "5.png",
             "gone.png": tmp_path / "gone"}  # fmt: skip
    for name, place in links.items():
        (folder / name).symlink_to(place)
    assert [row["file"] for row in read(folder)] == [
        "5.png", "8.png", "gone.png", "b/1.png", "b/deep/2.JPG", "link/7.png",
    ]  # fmt: skip


@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_a_compressed_file_that_unpacks_to_too_much_is_refused_unread(tmp_path, monkeypatch, new, compression):
    table = pa.table({"text": ["x" * 1_000_000] * 40})
    path = write_ipc(tmp_path / "a.arrow", table, new, compression, rows=40)
    assert path.stat().st_size < 400_000
    monkeypatch.setattr(arrow, "MOST_UNPACKED", 39_000_000)
    before = pa.default_memory_pool().max_memory(), pa.total_allocated_bytes()
    with pytest.raises(UserError, match=r"its batch 0 unpacks to 40,\d+,\d+ bytes, more than 39,000,000"):
        open_source(path)
    assert pa.default_memory_pool().max_memory() <= max(before[0], before[1] + 5_000_000)
    many = write_ipc(tmp_path / "b.arrow", table, new, compression, rows=4)  # ten batches, each small enough
    monkeypatch.setattr(arrow, "MOST_UNPACKED", 5_000_000)
    assert [len(text) for text in texts(many)] == [1_000_000] * 40
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 9, pa.int8()), pa.array(["x" * 6_000_000]))
    repeated = write_ipc(tmp_path / "c.arrow", pa.table({"text": values}), new, compression)
    with pytest.raises(UserError, match=r"unpacks to 6,\d+,\d+ bytes"):
        open_source(repeated)


def test_what_batches_say_of_themselves_is_what_they_unpack_to(tmp_path):
    table = pa.table({"text": ["some words " * 50] * 1000, "n": list(range(1000)), "none": pa.nulls(1000)})
    for new in (pa.ipc.new_file, pa.ipc.new_stream):
        for compression in (None, "lz4", "zstd"):
            data = pa.py_buffer(write_ipc(tmp_path / "a.arrow", table, new, compression, rows=400).read_bytes())
            found = list(batch_sizes(data))
            assert [size.rows for size in found] == [400, 400, 200]
            whole = sum(size.unpacked for size in found)
            assert whole == 0 if compression is None else whole == pytest.approx(table.nbytes, rel=0.01)


@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
@pytest.mark.parametrize("compression", [None, "lz4"])
def test_damage_anywhere_in_a_file_is_an_error_or_a_fault(tmp_path, new, compression):
    """Whatever byte is wrong: a message, or rows, but no crash and no memory beyond bounds."""
    path = write_ipc(tmp_path / "a.arrow", pa.table({"text": ["some words"] * 20}), new, compression, rows=10)
    whole = path.read_bytes()
    chosen = random.Random(0)
    for _ in range(200):
        data = bytearray(whole)
        data[chosen.randrange(len(data))] = chosen.randrange(256)
        path.write_bytes(data)
        try:
            rows = read(path)
        except UserError:
            continue
        assert len(rows) <= 20_000


def test_values_that_a_parquet_file_repeats_are_read_one_by_one(tmp_path, monkeypatch):
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 64, pa.int32()), pa.array(["x" * 4_000_000]))
    path = tmp_path / "a.parquet"
    for compression in ("zstd", "snappy", "none"):
        pq.write_table(pa.table({"text": values}), path, compression=compression)
        source = open_source(path)
        monkeypatch.setattr(parquet, "MOST_AT_ONCE", 8_000_000)
        before = pa.total_allocated_bytes()
        for row in source.iterate(["text"], 0):
            assert len(row.values["text"]) == 4_000_000
            assert pa.total_allocated_bytes() < before + 30_000_000  # not 64 times the value
        monkeypatch.setattr(parquet, "MOST_DICTIONARY", 3_999_999)
        with pytest.raises(UserError, match=r"repeated values unpack to 4,000,004 bytes"):
            list(source.iterate(["text"], 0))
        monkeypatch.undo()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "arrow", "feather"])
def test_ten_times_the_rows_take_no_more_memory(tmp_path, kind):
    peaks = []
    for rows in (100, 1000):
        path = tmp_path / f"{rows}.{kind}"
        lines = [{"id": str(number), "text": f"{number} " + "word " * 2000} for number in range(rows)]
        if kind == "jsonl":
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        elif kind == "csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([("id", "text"), *(line.values() for line in lines)])
        elif kind == "parquet":
            pq.write_table(pa.Table.from_pylist(lines), path, row_group_size=50)
        else:
            write_ipc(path, pa.Table.from_pylist(lines), compression="lz4" if kind == "feather" else None, rows=50)
        del lines
        source = open_source(path)
        tracemalloc.start()
        before, most, read_rows = pa.total_allocated_bytes(), 0, 0
        for row in source.iterate(["id", "text"], 0):
            assert row.values["text"].startswith(row.values["id"])
            most, read_rows = max(most, pa.total_allocated_bytes() - before), read_rows + 1
        peaks.append(most + tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert read_rows == rows
    assert peaks[1] < 1.2 * peaks[0] + 500_000, peaks


def test_very_long_texts_are_in_batches_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(windows, "BATCH_CHARACTERS", 100)
    path = tmp_path / "a.csv"
    lengths = [90, 90, 30, 30, 30, 30, 5, 5, 300]
    path.write_text("text\n" + "".join("x" * length + "\n" for length in lengths))
    bound = {"text": Bound("text", "text", per_text=True)}
    asked = SimpleNamespace(tasks={"imdb": None})
    question = Question(asked, bound, {})
    source = open_source(path)
    maker = ItemMaker(source, Binding([question], {}, {}), {})
    works = list(windows.Works(source, ["text"], 0, maker, [question], 4))
    found = [[len(example["text"]) for example in work.examples] for work in works]
    assert found == [[300], [90], [90], [30, 30, 30], [30, 5, 5]]
    assert sorted(place for work in works for place in work.places) == list(range(len(lengths)))


def test_texts_that_all_rows_of_a_batch_share_are_not_checked_again_for_every_piece(tmp_path):
    shared = pa.array([f"{number:060d}" for number in range(500_000)])
    column = pa.DictionaryArray.from_arrays(pa.array(range(20_000), pa.int32()), shared)
    seconds = []
    for kept in (column, column.cast(pa.string())):
        write_ipc(tmp_path / "a.arrow", pa.table({"text": kept}), rows=20_000)
        start = time.process_time()
        assert texts(tmp_path / "a.arrow")[-1] == f"{19_999:060d}"
        seconds.append(time.process_time() - start)
    assert seconds[0] < 3 * seconds[1] + 0.2  # it was ten times as long


def test_a_number_behind_a_dictionarys_end_is_told(tmp_path):
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2] * 100, pa.int8()), pa.array(["a", "b", "c"]))
    path = write_ipc(tmp_path / "a.arrow", pa.table({"text": column}), rows=300)
    data = path.read_bytes()
    assert data.count(bytes([0, 1, 2] * 100)) == 1
    path.write_bytes(data.replace(bytes([0, 1, 2] * 100), bytes([0, 1, 2] * 99 + [0, 1, 9])))
    with pytest.raises(UserError, match="is damaged"):
        texts(path)
