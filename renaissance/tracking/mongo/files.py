"""Files in GridFS, under numbers that follow from what is in them, so that sending one again changes nothing.

The layout is GridFS's own (https://www.mongodb.com/docs/manual/core/gridfs/): the pieces of a file in `fs.chunks`, and
when all of them are there an entry in `fs.files`. A file of which some pieces are there is gone on with.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from bson import Binary, ObjectId
from pymongo import ASCENDING, ReplaceOne
from pymongo.database import Database

CHUNK_BYTES = 255 * 1024  # GridFS's own


def put_file(
    database: Database[Any],
    number: ObjectId,
    filename: str,
    opened: Callable[[], IO[bytes]],
    content_type: str | None = None,
) -> None:
    """Put a file into GridFS, unless it is there.

    Args:
        database: where.
        number: the file's, which no other content has.
        filename: as GridFS has it.
        opened: opens the file.
        content_type: such as "image/png"; None where it is not known.

    Raises:
        pymongo.errors.PyMongoError: the server did not take all of it.
        OSError: the file cannot be read.
    """
    files, chunks = database["fs.files"], database["fs.chunks"]
    if files.find_one({"_id": number}, {"_id": 1}) is not None:
        return
    there = {chunk["n"] for chunk in chunks.find({"files_id": number}, {"n": 1})}
    length, place = 0, 0
    with opened() as file:
        while content := file.read(CHUNK_BYTES):
            if place not in there:
                chunk = {"files_id": number, "n": place, "data": Binary(content)}
                chunks.replace_one({"files_id": number, "n": place}, chunk, upsert=True)
            length, place = length + len(content), place + 1
    files.replace_one({"_id": number}, _entry(number, filename, length, content_type), upsert=True)


def put_small_files(database: Database[Any], files: Mapping[ObjectId, tuple[str, bytes]]) -> None:
    """Put files of one piece each into GridFS, those that are not there, all at once.

    Args:
        database: where.
        files: their names and contents, by number.

    Raises:
        pymongo.errors.PyMongoError: the server did not take all of them.
        ValueError: a file is of more than one piece.
    """
    there = {entry["_id"] for entry in database["fs.files"].find({"_id": {"$in": list(files)}}, {"_id": 1})}
    chunks, entries = [], []
    for number, (filename, content) in files.items():
        if len(content) > CHUNK_BYTES:
            raise ValueError(f"{filename} is of more than one piece")
        if number in there:
            continue
        place = {"files_id": number, "n": 0}
        if content:
            chunks.append(ReplaceOne(place, {**place, "data": Binary(content)}, upsert=True))
        entries.append(ReplaceOne({"_id": number}, _entry(number, filename, len(content), None), upsert=True))
    if chunks:
        database["fs.chunks"].bulk_write(chunks, ordered=False)
    if entries:
        database["fs.files"].bulk_write(entries, ordered=False)


def _entry(number: ObjectId, filename: str, length: int, content_type: str | None) -> dict[str, Any]:
    entry = {"_id": number, "filename": filename, "chunkSize": CHUNK_BYTES, "length": length}
    kind = {} if content_type is None else {"contentType": content_type}
    return {**entry, "uploadDate": datetime.now(UTC), **kind}


def make_indexes(database: Database[Any]) -> None:
    """The indexes that GridFS is read by, as its drivers make them at the first file."""
    database["fs.files"].create_index([("filename", ASCENDING), ("uploadDate", ASCENDING)])
    database["fs.chunks"].create_index([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)


def remove_others(database: Database[Any], filename: str, number: ObjectId) -> None:
    """Remove earlier contents of a file that belongs to one run alone."""
    for entry in database["fs.files"].find({"filename": filename, "_id": {"$ne": number}}, {"_id": 1}):
        database["fs.files"].delete_one({"_id": entry["_id"]})
        database["fs.chunks"].delete_many({"files_id": entry["_id"]})


def digest_of(path: Path) -> bytes:
    """The SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def content_type_of(path: Path) -> str | None:
    """What a file is, by its name."""
    return mimetypes.guess_type(path.name)[0]
