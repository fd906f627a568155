"""IMDB reviews: positive or negative.

https://ai.stanford.edu/~amaas/data/sentiment/
The line breaks that stand in the texts as `<br />` become spaces, so that no model reads them as words. The one-file
form says nothing of a test split, so none is made up: it gives train and val.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from renaissance.data.preparing.raw_files import find_root, hold_out_validation, read_file, whole_text
from renaissance.data.preparing.records import RecordFile
from renaissance.data.preparing.rejected import Listed, Rejected
from renaissance.data.preparing.writing import RawRow, TablePlan, write_tables
from renaissance.data.sets.interface import DataSet, PrepareOptions, TableNames, TableReport
from renaissance.data.tables.table import with_label_names

LAYOUT = """
aclImdb/train/{pos,neg}/*.txt and aclImdb/test/{pos,neg}/*.txt    as unpacked (or without aclImdb/), or
IMDB Dataset.csv    with the columns review,sentiment (it has no test reviews of its own: a share becomes val)
"""
_CSV = "IMDB Dataset.csv"
_LABELS = ("negative", "positive")
_FOLDERS = ("neg", "pos")  # in the order of _LABELS
_MOST_BYTES = 10 << 20  # of a review
# How every review of the one-file form ends: one whose text runs over several lines cannot swallow the next.
_LAST_LINE = re.compile(r',\s*"?(positive|negative)"?\s*$', re.IGNORECASE)
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
    schemas = ("imdb",)

    def tables(self, schema: str, split: str) -> TableNames:
        table = f"imdb_{split}"
        return TableNames(optional=(table,)) if split == "test" else TableNames(required=(table,))

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        root = find_root(options, _is_root, "imdb", LAYOUT)
        splits: dict[str, list[RawRow]]
        rejected: list[Listed] = []
        if (root / _CSV).is_file():
            reviews, rejected = _lines(root / _CSV, options)
            layout, splits = "one file", {"train": reviews}
        else:
            layout, splits = "folders", {"train": _files(root, "train"), "test": _files(root, "test")}
        parameters = {"layout": layout, **hold_out_validation(splits, options)}
        order: tuple[str, ...] = ("train", "val", "test")
        plans = [
            _plan(split, splits[split], rejected if split == "train" else ()) for split in order if split in splits
        ]
        return write_tables(plans, options, parameters)


def make_review_row(row: ReviewFile | ReviewLine) -> dict[str, object]:
    """The row of a review. Raises Rejected when it is empty or cannot be read."""
    text = _BREAK.sub(" ", row.read()).strip()
    if not text:
        raise Rejected("the review is empty")
    return {"text": text, "label": row.label, "text_id": whole_text(row.name.removesuffix(".txt"))}


def _plan(split: str, rows: list[RawRow], rejected: Sequence[Listed]) -> TablePlan:
    return TablePlan(f"imdb_{split}", SCHEMA, rows, len(rows), make_review_row, "text", rejected)


def _files(root: Path, split: str) -> list[RawRow]:
    return [
        ReviewFile(str(root), f"{split}/{folder}/{path.name}", label)
        for label, folder in enumerate(_FOLDERS)
        for path in sorted((root / split / folder).glob("*.txt"))
    ]


def _lines(path: Path, options: PrepareOptions) -> tuple[list[RawRow], list[Listed]]:
    """The reviews of the one-file form, and its lines that cannot be used. Raises UserError when these are too many."""
    file = RecordFile(path, _LAST_LINE)

    def review(record: Mapping[str, Any]) -> ReviewLine:
        if not {"review", "sentiment"} <= record.keys():
            raise Rejected(f"it should have the columns review and sentiment, but has {', '.join(record)}")
        return ReviewLine(f"{path.stem}/{file.rows - 1}", record["review"], record["sentiment"])

    reviews: list[RawRow] = list(file.read(review))
    file.check("imdb_train", options)
    return reviews, file.rejected


def _is_root(folder: Path) -> bool:
    splits = (folder / split / label for split in ("train", "test") for label in _FOLDERS)
    return (folder / _CSV).is_file() or all(path.is_dir() for path in splits)
