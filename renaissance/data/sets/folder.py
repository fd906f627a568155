"""Any folder of images with captions, and the tables `<name>_{train,val,test}` that come of it.

`prepare with dataset=folder dataset_name=flickr8k raw_root=…`, then `datasets=["flickr8k"]`. Where the folder names no
test split none is made up: an evaluation then uses val.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from renaissance.data.preparing.captions import MOST_CHARACTERS, CaptionRow, caption_plan, digests_of, group_captions
from renaissance.data.preparing.raw_files import find_root, inside, one_spelling
from renaissance.data.preparing.records import RecordFile
from renaissance.data.preparing.rejected import Listed, Rejected
from renaissance.data.preparing.splits import SPLIT_NAMES, SPLITS, hold_out_images
from renaissance.data.preparing.writing import write_tables
from renaissance.data.sets.interface import DataSet, PrepareOptions, TableNames, TableReport
from renaissance.errors import UserError

LAYOUT = """
captions.csv      with the columns image,caption (a line a caption; one with a comma in quotes), or
metadata.jsonl    with an object {"file_name": …, "text": …} a line (image_column and caption_columns name others)
and the pictures beside it, in images/ or in any folder below. A column split (train, val, test), pictures named
train/…, or folders train/ val/ test/ with such a file each divide it; without a val split, a share of the training
pictures (val_fraction) becomes one.
"""
_FILES = ("captions.csv", "metadata.jsonl", "metadata.csv", "captions.txt")  # the last is Flickr8k's, written as CSV
_IMAGE_COLUMNS = ("image", "file_name", "image_path", "filename")
_CAPTION_COLUMNS = ("caption", "captions", "text")
_FURTHER_SPLIT = re.compile(r"(dev|test|val)[A-Za-z0-9-]*(_(?!train$|val$|test$)[A-Za-z0-9-]+)?")

Line = tuple[str, str, str | None]  # image, its path spelled one way; caption; split


@dataclass
class Division:
    """The rows of each split, and the lines of annotations that were left out, with the split whose table lists them.

    Attributes:
        rows: the images.
        rejected: those of a file for all splits stand with train, since what is wrong with a line may be its split.
    """

    rows: dict[str, list[CaptionRow]] = field(default_factory=dict)
    rejected: dict[str, list[Listed]] = field(default_factory=dict)


class CaptionTables(DataSet):
    """A family of tables in COCO's columns, by the name that `dataset_name` gave it."""

    schemas = ("caption",)
    reads_named_columns = True

    def __init__(self, name: str = "folder"):
        self.name = name

    def tables(self, schema: str, split: str) -> TableNames:
        return TableNames(optional=(f"{self.name}_{split}",))

    def splits(self, schema: str, data_root: Path) -> tuple[str, ...]:
        """Train, val and test, then by name what else is there, such as `<name>_dev` or `<name>_test1`."""
        names = {path.stem.removeprefix(f"{self.name}_") for path in data_root.glob(f"{self.name}_*.arrow")}
        further = sorted(name for name in names - {*SPLITS} if _FURTHER_SPLIT.fullmatch(name))
        # Beside <name>_dev_train, <name>_dev_hard is a split of the data set <name>_dev.
        others = {name.removesuffix("_train") for name in names if name.endswith("_train")}
        return (*SPLITS, *(name for name in further if "_" not in name or name.partition("_")[0] not in others))

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        root = find_root(options, _is_root, "an image-caption folder", LAYOUT)
        if len(options.caption_columns or ()) > 1:
            raise UserError(
                f"caption_columns={list(options.caption_columns or ())}: dataset=folder takes captions of one column. "
                "Several are read of Parquet files and of shards, dataset=parquet or dataset=webdataset."
            )
        name = table_name(options.dataset_name, root)
        divide = _divided_by_folders if _annotations(root) is None else _divided_by_lines
        division = divide(root, name, options)
        asked = {"image_column": options.image_column, "caption_columns": options.caption_columns}
        parameters: dict[str, object] = {name: value for name, value in asked.items() if value is not None}
        if "val" not in division.rows:
            train = division.rows["train"]
            digests = digests_of(train, options)
            unread = [row.source for row, digest in zip(train, digests, strict=True) if not digest]
            faults = [f"{source} (it is missing, or cannot be read)" for source in unread]
            parameters |= hold_out_images(division.rows, digests, options, faults)
        plans = [
            caption_plan(f"{name}_{split}", division.rows[split], division.rejected.get(split, ()))
            for split in SPLITS
            if division.rows.get(split)
        ]
        return write_tables(plans, options, parameters)


def table_name(wanted: str | None, root: Path) -> str:
    """What the tables of a source of captions are called: as `dataset_name` says, else as the folder.

    Raises:
        UserError: no table can be called so, or a data set of ours is.
    """
    name = root.resolve().name if wanted is None else wanted
    given = f"dataset_name={name!r}" if wanted else f"dataset_name is not set, and the folder's name {name!r}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", name):
        raise UserError(f"{given} cannot be a table's name: use letters, digits, _ and -, as in dataset_name=flickr8k.")
    from renaissance.data.sets import data_sets  # here, since that module imports this one

    if name in data_sets():
        raise UserError(f"{given} is the name of a known data set. Choose another dataset_name.")
    tables = {f"{name}_{split}" for split in SPLITS}
    for known in data_sets().values():
        of_known = {table for schema in known.schemas for split in SPLITS for table in known.tables(schema, split).all}
        if taken := sorted(tables & of_known):
            raise UserError(
                f"{given} would write {taken[0]}, a table of the data set {known.name}. Choose another dataset_name."
            )
    return name


def _divided_by_folders(root: Path, name: str, options: PrepareOptions) -> Division:
    division = Division()
    for folder in sorted(root.iterdir()):
        path = _annotations(folder)
        if folder.name in SPLIT_NAMES and path is not None:
            split = SPLIT_NAMES[folder.name]
            lines, rejected = _read(path, f"{name}_{split}", options)
            division.rows.setdefault(split, []).extend(_rows(folder, split, lines))
            division.rejected.setdefault(split, []).extend(rejected)
    if "train" not in division.rows:
        raise UserError(f"{root} has no folder train/ with captions.csv or metadata.jsonl.")
    return division


def _divided_by_lines(root: Path, name: str, options: PrepareOptions) -> Division:
    path = _annotations(root)
    assert path is not None
    lines: dict[str, list[Line]] = {}
    found, rejected = _read(path, f"{name}_train", options)
    for line in found:
        lines.setdefault(line[2] or _first_folder(line[0]) or "train", []).append(line)
    if "train" not in lines:
        raise UserError(f"{path} has no line for training.")
    return Division({split: _rows(root, split, of_split) for split, of_split in lines.items()}, {"train": rejected})


def _first_folder(image: str) -> str | None:
    """The split that an image's path starts with, also with a year, as in val2017/."""
    first, slash, _ = image.partition("/")
    return SPLIT_NAMES.get(first.lower().rstrip("0123456789")) if slash else None


def _rows(folder: Path, split: str, lines: Iterable[Line]) -> list[CaptionRow]:
    find = cache(ImagesBelow(folder).find)
    grouped = group_captions((find(image), caption) for image, caption, _ in lines)  # one picture may have two names
    return [CaptionRow(str(folder), image, tuple(captions), split) for image, captions in grouped.items()]


class ImagesBelow:
    """Finds the images that annotations name in a folder: as named, in `images/`, or anywhere below by file name."""

    def __init__(self, folder: Path):
        self.folder = folder

    def find(self, name: str) -> str:
        """The path of an image from the folder; the name itself where there is none, or more than one."""
        for candidate in (name, f"images/{name}"):
            try:
                if inside(self.folder, candidate).is_file():
                    return candidate
            except (Rejected, OSError):  # it is listed as rejected when the row is made
                return name
        found = self._all.get(one_spelling(name).name, [])
        return found[0] if len(found) == 1 else name

    @cached_property
    def _all(self) -> dict[str, list[str]]:
        """The paths of all files by their names."""
        paths: dict[str, list[str]] = {}
        for place, _, names in os.walk(self.folder):
            for name in names:
                paths.setdefault(name, []).append((Path(place) / name).relative_to(self.folder).as_posix())
        return paths


def _read(path: Path, table: str, options: PrepareOptions) -> tuple[list[Line], list[Listed]]:
    """The captions of a file, and its lines that cannot be used. Raises UserError when these are too many."""
    file = RecordFile(path)
    images = _IMAGE_COLUMNS if options.image_column is None else (options.image_column,)
    captions = options.caption_columns or _CAPTION_COLUMNS
    records = file.read(lambda record: _captions_of(record, images, captions))
    lines = [line for of_record in records for line in of_record]
    file.check(table, options)
    return lines, file.rejected


def _captions_of(record: Mapping[str, Any], image_names: Sequence[str], caption_names: Sequence[str]) -> list[Line]:
    """The captions of a record, from the first columns of these names that it has. Raises Rejected."""
    image = next((record[name] for name in image_names if name in record), None)
    captions = next((record[name] for name in caption_names if name in record), None)
    captions = captions if isinstance(captions, list) else [captions]
    if not isinstance(image, str) or not all(isinstance(caption, str) for caption in captions):
        raise Rejected(
            f"it has no image or caption; its columns are {', '.join(record)}. Expected: "
            f"{' or '.join(image_names[:2])}, and {' or '.join(caption_names)}"
        )
    if any(len(caption) > MOST_CHARACTERS for caption in captions):
        raise Rejected(f"its caption has more than {MOST_CHARACTERS:,} characters")
    if not any(caption.strip() for caption in captions):
        raise Rejected("it has no caption")
    if not all(caption.strip() for caption in captions):
        raise Rejected("one of its captions is blank")
    split = _split(record.get("split"))
    image = str(one_spelling(image))  # before images are grouped and divided, or one could be in several splits
    return [(image, caption, split) for caption in captions]


def _split(name: object) -> str | None:
    """The split that a record names; None where it names none. Raises Rejected."""
    if name is None or name == "":
        return None
    known = SPLIT_NAMES.get(str(name).strip().lower())
    if known is None:
        raise Rejected(f"the split {name!r} is none of {', '.join(SPLIT_NAMES)}")
    return known


def _annotations(folder: Path) -> Path | None:
    return next((folder / name for name in _FILES if (folder / name).is_file()), None)


def _is_root(folder: Path) -> bool:
    if _annotations(folder) is not None:
        return True
    return folder.is_dir() and any(_annotations(folder / name) is not None for name in SPLIT_NAMES)
