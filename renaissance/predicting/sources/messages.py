"""What an Arrow file says of its record batches before any of them is read: how many rows, and what they unpack to.

Compressed buffers begin with the number of bytes that they unpack to, which Arrow allocates at once. A file of a few
megabytes may say gigabytes there, so it is looked at first.

Sources: https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc, the
schemas in https://github.com/apache/arrow/tree/main/format (Message.fbs, File.fbs), and
https://flatbuffers.dev/internals/ for how their tables lie in bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

FILE_MAGIC = b"ARROW1"
DICTIONARY_BATCH, RECORD_BATCH = 2, 3  # of the union MessageHeader
EXPERIMENTAL = b"ARROW:experimental_compression"  # as Arrow 0.17 marked compressed batches
PREFIX = struct.Struct("<q")  # of a compressed buffer: what it unpacks to; -1 where it is as it is
BLOCK, BUFFER = struct.Struct("<qi4xq"), struct.Struct("<qq")


@dataclass(frozen=True)
class BatchSize:
    """A batch of an Arrow file.

    Attributes:
        rows: its length.
        unpacked: the bytes that it takes in memory beside the mapped file; 0 where it is not compressed.
        is_dictionary: it holds values that others refer to, and stays in memory with all others of its kind.
    """

    rows: int
    unpacked: int
    is_dictionary: bool


def is_file(data: memoryview) -> bool:
    """Whether the bytes are of Arrow's file format; else they are to be a stream."""
    return bytes(data[: len(FILE_MAGIC)]) == FILE_MAGIC


def batch_sizes(buffer: pa.Buffer) -> Iterator[BatchSize]:
    """The batches of an Arrow file or stream, none of which is unpacked.

    Args:
        buffer: the whole of it.

    Raises:
        pa.ArrowInvalid: it is damaged, or compressed as only Arrow 0.17 did.
    """
    try:
        for message in _messages(buffer):
            size = _size_of(message)
            if size is not None:
                yield size
    except (struct.error, EOFError, OverflowError, ValueError) as error:
        raise pa.ArrowInvalid(f"its batches are not described as they should be: {error}") from None


def _messages(buffer: pa.Buffer) -> Iterator[pa.Message]:
    """Every message that Arrow's own readers would read: of a file, those that its footer names."""
    if not is_file(memoryview(buffer)):
        yield from pa.ipc.MessageReader.open_stream(pa.BufferReader(buffer))
        return
    data = memoryview(buffer)
    end = len(data) - len(FILE_MAGIC) - 4
    footer = data[max(0, end - struct.unpack_from("<i", data, end)[0]) : end]
    root = _Table.root(footer)
    for slot in (2, 3):  # dictionaries, recordBatches
        for offset, _, _ in root.structs(slot, BLOCK):
            if not 0 <= offset < len(data):
                raise ValueError("a batch lies outside of the file")
            yield pa.ipc.read_message(buffer.slice(offset))


def _size_of(message: pa.Message) -> BatchSize | None:
    """What a message says of its batch; None where it holds none."""
    metadata = memoryview(message.metadata)
    if EXPERIMENTAL in bytes(metadata):
        raise ValueError("it is compressed as only Arrow 0.17 did; write it again")
    root = _Table.root(metadata)
    kind, header = root.byte(1), root.table(2)
    if kind == DICTIONARY_BATCH and header is not None:
        header = header.table(1)
    if kind not in (DICTIONARY_BATCH, RECORD_BATCH) or header is None:
        return None
    unpacked = 0
    if header.table(3) is not None:  # compression
        body = memoryview(message.body)
        for offset, length in header.structs(2, BUFFER):
            if length:
                if offset < 0:
                    raise ValueError("a buffer lies outside of its batch")
                size = PREFIX.unpack_from(body, offset)[0]
                unpacked += length if size == -1 else size
                if size < -1:
                    raise ValueError("a buffer unpacks to less than nothing")
    return BatchSize(header.long(0), unpacked, kind == DICTIONARY_BATCH)


class _Table:
    """A table of a flatbuffer.

    Args:
        data: the flatbuffer.
        place: where the table begins.
    """

    def __init__(self, data: memoryview, place: int) -> None:
        self._data = data
        self._place = place
        self._fields = place - self._unpack("<i", place)
        self._size = self._unpack("<H", self._fields)

    @classmethod
    def root(cls, data: memoryview) -> _Table:
        """The outermost table."""
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def byte(self, slot: int) -> int:
        """A field of one byte; 0 where it is not given."""
        place = self._field(slot)
        return 0 if place is None else self._unpack("<B", place)

    def long(self, slot: int) -> int:
        """A field of eight bytes; 0 where it is not given."""
        place = self._field(slot)
        return 0 if place is None else self._unpack("<q", place)

    def table(self, slot: int) -> _Table | None:
        """A table that a field refers to; None where it is not given."""
        place = self._field(slot)
        return None if place is None else _Table(self._data, place + self._unpack("<I", place))

    def structs(self, slot: int, layout: struct.Struct) -> Iterator[tuple[int, ...]]:
        """The entries of a vector of structures."""
        place = self._field(slot)
        if place is None:
            return
        start = place + self._unpack("<I", place)
        for number in range(self._unpack("<I", start)):
            yield layout.unpack_from(self._data, start + 4 + number * layout.size)

    def _field(self, slot: int) -> int | None:
        """Where a field lies."""
        entry = 4 + 2 * slot
        offset = self._unpack("<H", self._fields + entry) if entry < self._size else 0
        return self._place + offset if offset else None

    def _unpack(self, layout: str, place: int) -> int:
        if place < 0:
            raise ValueError("a table lies outside of its description")
        found: int = struct.unpack_from(layout, self._data, place)[0]
        return found
