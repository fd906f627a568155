"""Image-text tables: Parquet files, and the Arrow files of Hugging Face's `datasets`, read in pieces.

In: files with an image column (bytes, `{bytes, path}` or a path) and one caption column or more (a text or a list of
texts). Out: a reference to each row, and the row of a caption table that it becomes. A piece is a row group of Parquet
or some hundred rows of Arrow; each process keeps the last one that it read.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from renaissance.data.preparing.captions import MOST_CHARACTERS
from renaissance.data.preparing.image_text_columns import (
    BYTES,
    PATH,
    ImageTextColumns,
    SourceColumns,
    find_columns,
    is_list,
    is_text,
)
from renaissance.data.preparing.image_texts import MOST_CAPTIONS, image_text_row
from renaissance.data.preparing.raw_files import MOST_IMAGE_BYTES, inside, read_file
from renaissance.data.preparing.rejected import Rejected
from renaissance.data.preparing.splits import SPLIT_NAMES, digest_of
from renaissance.data.sets.interface import PrepareOptions
from renaissance.errors import UserError
from renaissance.processes import map_in_order

ROWS_A_PIECE = 256  # of Arrow files, which can be read from anywhere
_MOST_PIECE_BYTES = 2 << 30
_MOST_PATH_BYTES = 4096  # of a path on Linux
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"  # of Arrow's IPC streams
PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class TableFile:
    """A file of a table.

    Attributes:
        path: the file.
        split: the split of its rows where they do not say their own.
        root: the data set's folder, from which paths of images start.
        columns: what is read of it.
    """

    path: str
    split: str
    root: str
    columns: ImageTextColumns


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of such a file; see `ImageTextRow`.

    Attributes:
        file: where it lies.
        piece: the number of the piece.
        place: the row's number in the piece.
        number: the row's number in the file.
        split: the row's.
        digest: of its image's bytes; "" where there is a fault.
        fault: why it cannot be used; "" where nothing is known against it.
    """

    file: TableFile
    piece: int
    place: int
    number: int
    split: str
    digest: str
    fault: str

    @property
    def source(self) -> str:
        return f"{self.file.path}, row {self.number}"


def table_rows(paths: Mapping[Path, str], root: Path, options: PrepareOptions) -> tuple[list[TableRow], SourceColumns]:
    """A reference to each row of some files, and the columns that are read.

    Args:
        paths: the files, each with the split of its rows.
        root: the data set's folder.
        options: the settings of `prepare`.

    Raises:
        UserError: a file is damaged, or has no column of images or of captions.
    """
    tasks: list[tuple[TableFile, int, int]] = []
    columns: dict[tuple[str, ...], str] = {}
    images: set[str] = set()
    for path, split in paths.items():
        schema, sizes = _outline(path)
        found = find_columns(schema, options.image_column, options.caption_columns, path)
        columns.setdefault(found.captions, str(path))
        images.add(found.image)
        file = TableFile(str(path), split, str(root), found)
        tasks += [(file, piece, start) for piece, start in enumerate(accumulate(sizes[:-1], initial=0))]
    if len(columns) > 1:
        found_in = "; ".join(f"{', '.join(names)} in {path}" for names, path in columns.items())
        raise UserError(f"The files have captions in columns of different names ({found_in}). Name caption_columns.")
    rows: list[TableRow] = []
    with tqdm(total=len(tasks), desc="looking through", unit=" pieces", disable=None, leave=False) as bar:
        for of_piece in map_in_order(_look_through, tasks, options.processes):
            rows += of_piece
            bar.update()
    return rows, SourceColumns(next(iter(columns), ()), tuple(sorted(images)))


def make_table_row(row: TableRow) -> dict[str, object]:
    """The row of a caption table. Raises Rejected when it has no caption or no whole image."""
    if row.fault:
        raise Rejected(row.fault)
    columns = row.file.columns
    piece = _piece(row.file.path, row.piece, (columns.image, *columns.captions))
    captions = {name: _texts(piece.column(name)[row.place]) for name in columns.captions}
    image, path = _image(row.file, piece.column(columns.image)[row.place])
    name = path.replace("\\", "/").rsplit("/", 1)[-1] or f"{Path(row.file.path).stem}-{row.number:06d}"
    return image_text_row(row, image, captions, name)


def _look_through(task: tuple[TableFile, int, int]) -> list[TableRow]:
    """The rows of a piece, with the digests of their images."""
    file, number, start = task
    columns = file.columns
    own = () if columns.split is None else (columns.split,)
    piece = _piece(file.path, number, (columns.image, *columns.captions, *own))
    images = piece.column(columns.image)
    rows = []
    for place in range(len(piece)):
        split, digest, fault = file.split, "", ""
        try:
            if columns.split is not None:
                split = _split(piece.column(columns.split)[place]) or split
            digest = digest_of(_image(file, images[place])[0])
        except Rejected as error:  # it is listed when the row is made
            fault = str(error)
        rows.append(TableRow(file, number, place, start + place, split, digest, fault))
    return rows


def _split(value: pa.Scalar) -> str | None:
    """The split that a row names; None where it names none. Raises Rejected."""
    name = _bounded(value, MOST_CHARACTERS, "its split", "bytes")
    if not name:
        return None
    known = SPLIT_NAMES.get(str(name).strip().lower())
    if known is None:
        raise Rejected(f"the split {name!r:.50} is none of {', '.join(SPLIT_NAMES)}")
    return known


def _image(file: TableFile, value: pa.Scalar) -> tuple[bytes, str]:
    """The bytes of an image, and its path where it has one. Raises Rejected where there is none."""
    path = ""
    if pa.types.is_struct(value.type):
        if not value.is_valid:
            raise Rejected("it has no image")
        fields = value.type.names
        if PATH in fields and is_text(value[PATH].type):
            path = str(_bounded(value[PATH], _MOST_PATH_BYTES, "its path", "bytes") or "")
        value = value[BYTES]
    data = _bounded(value, MOST_IMAGE_BYTES, "the image", "bytes")
    if isinstance(data, str):
        path = data
    if not data and not path:
        raise Rejected("it has no image")
    if not isinstance(data, bytes):
        data = _read_image_file(file, path)
    return data, path


def _read_image_file(file: TableFile, path: str) -> bytes:
    """The bytes of the file that a path names, beside the table or below the data set's folder. Raises Rejected."""
    no_path = "a text, but no path; base64 is not read"
    if len(path) > _MOST_PATH_BYTES:
        raise Rejected(no_path)
    beside, below = inside(Path(file.path).parent, path), inside(Path(file.root), path)
    try:
        found = beside if beside.is_file() else below
    except OSError as error:
        reason = no_path if error.errno == errno.ENAMETOOLONG else f"the file cannot be read: {error}"
        raise Rejected(reason) from None
    return read_file(found, MOST_IMAGE_BYTES)


def _texts(value: pa.Scalar) -> list[str]:
    """The captions of a value. Raises Rejected where they are too many or too long."""
    if not is_list(value.type):
        values: Sequence[pa.Scalar] = [value]
    elif not value.is_valid:
        return []
    elif len(value.values) > MOST_CAPTIONS:
        raise Rejected(f"it has more than {MOST_CAPTIONS:,} captions")
    else:
        values = list(value.values)
    texts = [_bounded(each, 4 * MOST_CHARACTERS, "its caption", "bytes") for each in values]
    return [text for text in texts if isinstance(text, str)]


def _bounded(value: pa.Scalar, most: int, what: str, unit: str) -> bytes | str | None:
    """A value's bytes or text, None for null; looked at before it is copied. Raises Rejected where it is too long."""
    if isinstance(value, pa.DictionaryScalar):
        value = value.value
    if not value.is_valid:
        return None
    if value.as_buffer().size > most:
        raise Rejected(f"{what} has more than {most:,} {unit}")
    try:
        return value.as_py()
    except UnicodeDecodeError:
        raise Rejected(f"{what} should be UTF-8 text") from None


def _outline(path: Path) -> tuple[pa.Schema, list[int]]:
    """The schema of a file, and the rows of each of its pieces.

    Raises:
        UserError: it cannot be read, or a piece of it is larger than memory should take.
    """
    if path.suffix not in PARQUET:
        table = _arrow(str(path))
        rows = len(table)
        return table.schema, [min(ROWS_A_PIECE, rows - start) for start in range(0, rows, ROWS_A_PIECE)]
    try:
        with pq.ParquetFile(path) as file:
            groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
            schema = file.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(str(path), error) from None
    for number, group in enumerate(groups):
        if group.total_byte_size > _MOST_PIECE_BYTES:
            raise UserError(
                f"{path}: row group {number} unpacks to {group.total_byte_size:,} bytes, more than "
                f"{_MOST_PIECE_BYTES:,}. Write it with smaller row groups (row_group_size=100)."
            )
    return schema, [group.num_rows for group in groups]


@lru_cache(maxsize=1)
def _piece(path: str, number: int, columns: tuple[str, ...]) -> pa.Table:
    """Columns of a piece. A value that Parquet has once and refers to often is in memory once, too."""
    try:
        if Path(path).suffix not in PARQUET:
            piece = _arrow(path).select(list(columns)).slice(number * ROWS_A_PIECE, ROWS_A_PIECE)
            piece.validate(full=True)
            return piece
        with pq.ParquetFile(path) as file:
            leaves = [file.schema.column(number) for number in range(len(file.schema.names))]
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            return file.read_row_group(number, columns=list(columns))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(path, error) from None


@lru_cache(maxsize=64)
def _arrow(path: str) -> pa.Table:
    """A file of `datasets`, which is an Arrow stream, mapped into memory."""
    try:
        with open(path, "rb") as file:
            file.seek(-len(_END_OF_STREAM), os.SEEK_END)
            if file.read() != _END_OF_STREAM:
                raise ValueError("its end is missing")
        with pa.memory_map(path) as mapped, pa.ipc.open_stream(mapped) as reader:
            return reader.read_all()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(path, error) from None


def _damaged(path: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:200]
    return UserError(f"{path} is damaged or no such table ({reason}): cut off while it was copied? Get it again.")
