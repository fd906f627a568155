"""WebDataset's tar shards: files of one name but for the ending make a sample, such as 000017.jpg and 000017.txt.

In: uncompressed tar files. Out: a reference to each sample, with the place of its image in the shard, and the row of a
caption table that it becomes. Nothing is unpacked, linked or decoded: of the files that are asked for the bytes are
read, and of all others (pickled arrays among them) nothing.
https://github.com/webdataset/webdataset
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from tqdm import tqdm

from renaissance.data.preparing.captions import MOST_CHARACTERS
from renaissance.data.preparing.image_text_columns import SourceColumns
from renaissance.data.preparing.image_texts import MOST_CAPTIONS, image_text_row
from renaissance.data.preparing.raw_files import MOST_IMAGE_BYTES
from renaissance.data.preparing.rejected import Rejected
from renaissance.data.preparing.splits import digest_of
from renaissance.data.sets.interface import PrepareOptions
from renaissance.errors import UserError
from renaissance.processes import map_in_order

IMAGE_ENDINGS = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm")
CAPTION_ENDINGS = ("txt", "caption", "text")  # else, the key "caption" of a sample's .json
JSON = "json"
_MOST_JSON_BYTES = 8 << 20
_BLOCK = 512
_MOST_PADDING = 1 << 20  # zeros that may follow the end of an archive


@dataclass(frozen=True)
class Member:
    """A file in a shard that may be part of a sample.

    Attributes:
        name: its name there.
        offset: where its bytes begin in the shard.
        size: how many they are.
        digest: of an image's bytes; "" of others.
        text: what stands in a file of captions; None of others, and where it cannot be read.
        fault: why it cannot be read.
    """

    name: str
    offset: int
    size: int
    digest: str = ""
    text: str | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ShardRow:
    """A sample; see `ImageTextRow`.

    Attributes:
        shard: the tar file.
        key: the sample's name, without its ending.
        offset: where the image's bytes begin in the shard.
        size: how many they are.
        split: the shard's.
        digest: of the image's bytes; "" where there is a fault.
        captions: by the ending, or the key in `json`, that they come from.
        fault: why it cannot be used; "" where nothing is known against it.
        ending: of the image's name.
    """

    shard: str
    key: str
    offset: int
    size: int
    split: str
    digest: str
    captions: tuple[tuple[str, tuple[str, ...]], ...]
    fault: str
    ending: str

    @property
    def source(self) -> str:
        return f"{self.shard}: {self.key}"


@dataclass(frozen=True)
class _Wanted:
    """The endings that are read: of images in the order in which they are looked for, and of captions."""

    images: tuple[str, ...]
    captions: tuple[str, ...]


def shard_rows(paths: Mapping[Path, str], options: PrepareOptions) -> tuple[list[ShardRow], SourceColumns]:
    """A reference to each sample of some shards, and the endings that were asked for.

    Args:
        paths: the shards, each with its split.
        options: the settings of `prepare`.

    Raises:
        UserError: a shard is damaged, or holds names that lead out of it, links or devices; or webdataset is missing.
    """
    group_by_keys = _webdataset()
    asked = tuple(options.caption_columns or ())
    wanted = _Wanted(
        (options.image_column,) if options.image_column else IMAGE_ENDINGS,
        tuple(name.partition(".")[0] for name in asked) or (*CAPTION_ENDINGS, JSON),
    )
    rows: list[ShardRow] = []
    tasks = [(str(path), wanted) for path in paths]
    with tqdm(total=len(tasks), desc="looking through", unit=" shards", disable=None, leave=False) as bar:
        found = map_in_order(_members, tasks, options.processes)
        for (path, split), members in zip(paths.items(), found, strict=True):
            files = ({"fname": member.name, "data": member, "__url__": str(path)} for member in members)
            try:
                rows += [_row(str(path), split, sample, wanted, asked) for sample in group_by_keys(files)]
            except ValueError as error:
                raise UserError(f"{path} has two files of one name: {error.args[0]}") from None
            bar.update()
    return rows, SourceColumns(asked or ("caption",), (options.image_column,) if options.image_column else ())


def make_shard_row(row: ShardRow) -> dict[str, object]:
    """The row of a caption table. Raises Rejected when it has no caption or no whole image."""
    if row.fault:
        raise Rejected(row.fault)
    try:
        with open(row.shard, "rb") as file:
            file.seek(row.offset)
            image = file.read(row.size)
    except OSError as error:
        raise Rejected(f"the file cannot be read: {error}") from None
    return image_text_row(row, image, dict(row.captions), f"{PurePosixPath(row.key).name}.{row.ending}")


def _webdataset() -> Any:
    """How WebDataset puts the files of a shard together to samples."""
    try:
        from webdataset.tariterators import group_by_keys
    except ImportError:
        raise UserError("dataset=webdataset needs the package webdataset: pip install webdataset") from None
    return group_by_keys


def _row(path: str, split: str, sample: Mapping[str, Any], wanted: _Wanted, asked: Sequence[str]) -> ShardRow:
    """The reference to a sample."""
    ending = next((name for name in wanted.images if name in sample), "")
    image: Member | None = sample.get(ending)
    fault = "" if image is None else image.fault
    captions: dict[str, tuple[str, ...]] = {}
    try:
        if image is None:
            raise Rejected(f"it has no image ({', '.join(wanted.images)})")
        captions = _captions(sample, asked)
    except Rejected as error:
        fault = fault or str(error)
    offset, size, digest = (0, 0, "") if image is None else (image.offset, image.size, image.digest)
    return ShardRow(
        path, sample["__key__"], offset, size, split, "" if fault else digest, tuple(captions.items()), fault, ending
    )


def _captions(sample: Mapping[str, Any], asked: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The captions of a sample, by where they come from. Raises Rejected where one cannot be read."""
    if asked:
        return {name: _texts(sample, name) for name in asked}
    ending = next((name for name in CAPTION_ENDINGS if name in sample), f"{JSON}.caption")
    return {"caption": _texts(sample, ending)}


def _texts(sample: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The captions of a file, or of a key in the sample's JSON, as "json.caption". Raises Rejected."""
    ending, _, key = name.partition(".")
    member: Member | None = sample.get(ending)
    if member is None:
        return ()
    if member.text is None:
        raise Rejected(member.fault or f".{ending}: it is no file of captions")
    if not key:
        return (member.text.strip(),)
    try:
        value = json.loads(member.text)[key]
    except KeyError:
        return ()
    except (ValueError, TypeError, RecursionError):
        raise Rejected(f".{ending}: it is no JSON object") from None
    texts = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(text, str) for text in texts):
        raise Rejected(f"{name} is no text")
    if len(texts) > MOST_CAPTIONS:
        raise Rejected(f"it has more than {MOST_CAPTIONS:,} captions")
    return tuple(texts)


def _members(task: tuple[str, _Wanted]) -> list[Member]:
    """The files of a shard that samples are made of.

    Raises:
        UserError: the shard is damaged, or holds something that no shard does.
    """
    path, wanted = task
    try:
        with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            return [_member(info, file, wanted) for info in _files(path, archive, file) if _is_of_a_sample(info.name)]
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        packed = " Unpack it first: gunzip." if path.endswith((".gz", ".tgz", ".bz2", ".xz", ".zst")) else ""
        raise UserError(f"{path} is damaged or no tar file ({error}): cut off while it was copied?{packed}") from None


def _files(path: str, archive: tarfile.TarFile, file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """The plain files of a shard, each looked at before anything of it is read."""
    for info in archive:
        name = PurePosixPath(info.name.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or "\0" in info.name:
            raise UserError(
                f"{path}: {info.name!r:.200} leads out of the archive, which no shard needs. Do not use it."
            )
        if info.isdir():
            continue
        if not info.isreg() or info.issparse():
            kind = "a link" if info.islnk() or info.issym() else "no plain file"
            raise UserError(f"{path}: {info.name!r:.200} is {kind}, which no shard needs. Do not use this one.")
        yield info
    file.seek(archive.offset)
    rest = file.read(_MOST_PADDING + 1)
    if len(rest) < _BLOCK or len(rest) > _MOST_PADDING or rest.strip(b"\0"):
        fault = "its end is missing" if len(rest) < _BLOCK else "something follows its end: two archives in one?"
        raise tarfile.ReadError(fault)


def _is_of_a_sample(name: str) -> bool:
    """Whether a file belongs to a sample; names such as __meta__ are WebDataset's own."""
    return bool(_ending(name)) and not re.match(r"__[^/]*__($|/)", name)


def _ending(name: str) -> str:
    """What follows the first dot of a file's name, in small letters, which is how WebDataset calls the file."""
    return PurePosixPath(name).name.partition(".")[2].lower()


def _member(info: tarfile.TarInfo, file: BinaryIO, wanted: _Wanted) -> Member:
    """A file of a shard; of an image with its digest, of captions with their text."""
    ending = _ending(info.name)
    place = (info.name, info.offset_data, info.size)
    if ending in wanted.images:
        most = MOST_IMAGE_BYTES
    elif ending in wanted.captions:
        most = _MOST_JSON_BYTES if ending == JSON else 4 * MOST_CHARACTERS
    else:
        return Member(*place)
    if info.size > most:
        return Member(*place, fault=f".{ending}: it has more than {most:,} bytes")
    before = file.tell()
    file.seek(info.offset_data)
    data = file.read(info.size)
    file.seek(before)
    if ending in wanted.images:
        return Member(*place, digest=digest_of(data))
    try:
        return Member(*place, text=data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Member(*place, fault=f".{ending}: it should be UTF-8 text")
