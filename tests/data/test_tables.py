"""Arrow tables: read as others write them, refused when damaged, never half written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from renaissance.data.tables.table import LABEL_NAMES_KEY, Table, with_label_names
from renaissance.data.tables.writer import TableWriter, read_batches
from renaissance.errors import UserError

from .conftest import WriteTable

CAPTIONS = [["a", "bb"], [], ["ccc"], None, ["d", "", "é"]]


@pytest.mark.parametrize("rows_a_batch", [None, 1, 2])
@pytest.mark.parametrize(
    "kinds", [(pa.binary(), pa.string(), pa.list_), (pa.large_binary(), pa.large_string(), pa.large_list)]
)
def test_values_are_those_that_pyarrow_wrote(
    tmp_path: Path, write_table: WriteTable, rows_a_batch: int | None, kinds: tuple[pa.DataType, pa.DataType, type]
) -> None:
    binary, string, list_of = kinds
    images = [b"one", b"", None, b"four\0", b"5"]
    path = write_table(
        tmp_path / "t.arrow",
        {
            "image": pa.array(images, binary),
            "caption": pa.array(CAPTIONS, list_of(string)),
            "text": pa.array(["x", None, "z", "", "ü"], string),
            "label": pa.array([3, 1, 4, 1, 5], pa.int32()),
            "extra": pa.array([1.5] * 5),
        },
        rows_a_batch,
    )
    table = Table(path, {"image": "bytes", "caption": "text", "text": "text", "label": "class"})
    assert table.rows == 5
    assert [table.bytes_at("image", row) for row in range(5)] == [image or b"" for image in images]
    flat = [(row, text) for row, texts in enumerate(CAPTIONS) for text in texts or []]
    captions = table.texts("caption")
    assert [(captions.row_of(number), table.text_at("caption", number)) for number in range(len(captions))] == flat
    assert [[captions[number] for number in captions.of_row(row)] for row in range(5)] == [c or [] for c in CAPTIONS]
    assert list(table.iterate_texts("caption")) == [text for _, text in flat]
    assert list(table.iterate_texts("text")) == ["x", "", "z", "", "ü"]
    assert table.numbers("label").tolist() == [3, 1, 4, 1, 5]


def test_sliced_columns_are_read_right(tmp_path: Path) -> None:
    """A batch that is a slice of a larger one keeps offsets that do not begin at 0."""
    whole = pa.record_batch({"caption": pa.array([["a"], ["b", "c"], [], ["d"], ["e"]], pa.list_(pa.string()))})
    path = tmp_path / "t.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, whole.schema) as writer:
        for start, length in ((3, 2), (1, 3)):
            writer.write_batch(whole.slice(start, length))
    captions = Table(path, {"caption": "text"}).texts("caption")
    assert list(captions) == ["d", "e", "b", "c", "d"]
    assert [captions.row_of(number) for number in range(5)] == [0, 1, 2, 2, 4]


def test_positions_outside_are_refused(caption_table: Path) -> None:
    table = Table(caption_table, {"image": "bytes", "caption": "text"})
    for position in (-1, 12):
        with pytest.raises(IndexError):
            table.bytes_at("image", position)
    with pytest.raises(IndexError):
        table.text_at("caption", len(table.texts("caption")))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.arrow is missing.*prepare"):
        Table(tmp_path / "nowhere.arrow", {})


def test_a_missing_column_is_named_with_those_there(caption_table: Path) -> None:
    with pytest.raises(UserError, match=r"karpathy_train\.arrow has no column 'label'; its columns are image, caption"):
        Table(caption_table, {"label": "class"})


def test_a_column_of_another_type_is_named(caption_table: Path) -> None:
    with pytest.raises(UserError, match=r"'caption' should hold binary values.*holds list<"):
        Table(caption_table, {"caption": "bytes"})


def test_a_truncated_file_is_refused_wherever_it_ends(caption_table: Path) -> None:
    whole = caption_table.read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        caption_table.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"karpathy_train\.arrow is (empty|not a complete Arrow file)"):
            Table(caption_table, {"image": "bytes", "caption": "text"})


def test_a_damaged_file_gives_wrong_values_or_an_error_but_never_a_crash(caption_table: Path) -> None:
    """In a process of its own, since what is feared is a segmentation fault."""
    script = f"""
import numpy as np
from pathlib import Path
from renaissance.data.tables.table import Table
from renaissance.errors import UserError
path, random = Path({str(caption_table)!r}), np.random.default_rng(0)
whole = path.read_bytes()
refused = 0
for _ in range(600):
    data = bytearray(whole)
    for place in random.integers(len(whole), size=3):
        data[place] = random.integers(256)
    path.write_bytes(data)
    try:
        table = Table(path, {{"image": "bytes", "caption": "text"}})
        for row in range(table.rows):
            table.bytes_at("image", row)
            [table.text_at("caption", number) for number in table.texts("caption").of_row(row)]
    except UserError:
        refused += 1
print("refused", refused)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.split()[1]) > 0


def test_a_compressed_file_is_refused(tmp_path: Path) -> None:
    table = pa.table({"image": [b"x" * 1000] * 10})
    path = tmp_path / "t.arrow"
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    with pytest.raises(UserError, match="compressed"):
        Table(path, {"image": "bytes"})


def test_a_stream_is_refused(tmp_path: Path) -> None:
    table = pa.table({"image": [b"x"] * 10})
    path = tmp_path / "t.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(UserError, match="not a complete Arrow file"):
        Table(path, {"image": "bytes"})


def test_label_names_come_from_the_metadata(tmp_path: Path, write_table: WriteTable) -> None:
    named = write_table(tmp_path / "a.arrow", {"label": [0]}, metadata={LABEL_NAMES_KEY: b'["cat", "dog"]'})
    assert Table(named, {}).label_names == ["cat", "dog"]
    assert Table(write_table(tmp_path / "b.arrow", {"label": [0]}), {}).label_names is None
    broken = write_table(tmp_path / "c.arrow", {"label": [0]}, metadata={LABEL_NAMES_KEY: b"cat, dog"})
    with pytest.raises(UserError, match="label names"):
        Table(broken, {})


def test_what_is_written_is_what_pyarrow_reads(tmp_path: Path) -> None:
    schema = with_label_names(pa.schema([("image", pa.binary()), ("label", pa.int64())]), ["a", "b"])
    path = tmp_path / "t.arrow"
    rows = [{"image": bytes([row % 256]) * 40_000, "label": row % 2} for row in range(1100)]
    with TableWriter(path, schema) as writer:
        for row in rows:
            writer.add(row)
        assert not path.exists()
    read = pa.ipc.open_file(str(path)).read_all()
    assert read.to_pylist() == rows
    assert read.schema.metadata == {LABEL_NAMES_KEY: b'["a", "b"]'}
    assert len(list(read_batches(path))) > 2  # memory stays bounded: batches of some megabytes
    assert not list(tmp_path.glob("*.unfinished"))


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    with pytest.raises(KeyError), TableWriter(path, pa.schema([("label", pa.int64())])) as writer:
        writer.add({"other": 1})
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="counts memory as Linux tells it")
def test_pages_are_given_back(tmp_path: Path, write_table: WriteTable) -> None:
    """Reading a whole file leaves little of it in the process."""
    size, rows = 400_000, 400
    path = write_table(tmp_path / "t.arrow", {"image": [np.random.default_rng(0).bytes(size)] * rows}, rows_a_batch=20)
    table = Table(path, {"image": "bytes"})
    before = mapped_of(path)
    for row in range(rows):
        assert len(table.bytes_at("image", row)) == size
    assert mapped_of(path) - before < 50_000_000 < size * rows


def mapped_of(path: Path) -> int:
    """Bytes of a file that this process holds mapped and present."""
    sizes, counting = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0] and ":" not in line.split()[0]:
            counting = line.endswith(str(path))
        elif counting and line.startswith("Rss:"):
            sizes += int(line.split()[1]) * 1024
    return sizes
