"""IMDB reviews: positive or negative.

https://ai.stanford.edu/~amaas/data/sentiment/
The line breaks that stand in the texts as `<br />` become spaces, so that no model reads them as words. The one-file
form says nothing of a test split, so none is made up: it gives train and val.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from renaissance.data.kinds import Split
from renaissance.data.raw import find_root, hold_out_validation, read_file, whole_text
from renaissance.data.sets.interface import DataSet, PrepareOptions, TableNames, TableReport
from renaissance.data.tables import with_label_names
from renaissance.data.writing import RawRow, Rejected, TablePlan, write_tables
from renaissance.errors import UserError

LAYOUT = """
aclImdb/train/{pos,neg}/*.txt and aclImdb/test/{pos,neg}/*.txt    as unpacked (or without aclImdb/), or
IMDB Dataset.csv    with the columns review,sentiment (it has no test reviews of its own: a share becomes val)
"""
_CSV = "IMDB Dataset.csv"
_LABELS = ("negative", "positive")
_FOLDERS = ("neg", "pos")  # in the order of _LABELS
_MOST_BYTES = 10 << 20  # of a review
_BREAK = re.compile(r"(?:<br\s*/?>\s*)+", re.IGNORECASE)

SCHEMA = with_label_names(pa.schema([("text", pa.string()), ("label", pa.int64()), ("text_id", pa.string())]), _LABELS)


@dataclass(frozen=True)
class ReviewFile:
    """A review in a file of its own."""

    root: str
    name: str
    label: int

    @property
    def source(self) -> str:
        return f"{self.root}/{self.name}"

    def read(self) -> str:
        """The text. Raises Rejected."""
        try:
            return read_file(Path(self.source), _MOST_BYTES).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Rejected(f"it is no UTF-8 text: {error}") from None


@dataclass(frozen=True)
class ReviewLine:
    """A review out of the one-file form."""

    name: str
    text: str
    sentiment: str

    @property
    def source(self) -> str:
        return self.name

    @property
    def label(self) -> int:
        """Its class. Raises Rejected."""
        try:
            return _LABELS.index(self.sentiment.strip().lower())
        except ValueError:
            raise Rejected(f"its sentiment is {self.sentiment!r}, neither positive nor negative") from None

    def read(self) -> str:
        return self.text


class Imdb(DataSet):
    """Tables `imdb_{train,val,test}`."""

    name = "imdb"
    kinds = ("imdb",)

    def tables(self, kind: str, split: Split) -> TableNames:
        table = f"imdb_{split}"
        return TableNames(optional=(table,)) if split == "test" else TableNames(required=(table,))

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        root = find_root(options, _is_root, "imdb", LAYOUT)
        splits: dict[Split, list[RawRow]]
        if (root / _CSV).is_file():
            layout, splits = "one file", {"train": list(_lines(root / _CSV))}
        else:
            layout, splits = "folders", {"train": _files(root, "train"), "test": _files(root, "test")}
        parameters = {"layout": layout, **hold_out_validation(splits, options)}
        order: tuple[Split, ...] = ("train", "val", "test")
        plans = [_plan(split, splits[split]) for split in order if split in splits]
        return write_tables(plans, options, parameters)


def make_review_row(row: ReviewFile | ReviewLine) -> dict[str, object]:
    """The row of a review. Raises Rejected when it is empty or cannot be read."""
    text = _BREAK.sub(" ", row.read()).strip()
    if not text:
        raise Rejected("the review is empty")
    return {"text": text, "label": row.label, "text_id": whole_text(row.name.removesuffix(".txt"))}


def _plan(split: Split, rows: list[RawRow]) -> TablePlan:
    return TablePlan(f"imdb_{split}", SCHEMA, rows, len(rows), make_review_row, "text")


def _files(root: Path, split: str) -> list[RawRow]:
    return [
        ReviewFile(str(root), f"{split}/{folder}/{path.name}", label)
        for label, folder in enumerate(_FOLDERS)
        for path in sorted((root / split / folder).glob("*.txt"))
    ]


def _lines(path: Path) -> Iterator[ReviewLine]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            reader = csv.DictReader(file)
            if not {"review", "sentiment"} <= set(reader.fieldnames or ()):
                raise UserError(f"{path} should have the columns review and sentiment, but has {reader.fieldnames}.")
            for number, line in enumerate(reader):
                yield ReviewLine(f"{path.stem}/{number}", line["review"] or "", line["sentiment"] or "")
        except (csv.Error, UnicodeDecodeError, OSError) as error:
            raise UserError(f"{path} cannot be read: {error}. Download it again.") from None


def _is_root(folder: Path) -> bool:
    splits = (folder / split / label for split in ("train", "test") for label in _FOLDERS)
    return (folder / _CSV).is_file() or all(path.is_dir() for path in splits)
