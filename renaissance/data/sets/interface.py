"""What a data set is to the rest: names of tables, and a way to write them from raw files.

A data set is one file of this folder with one subclass of `DataSet`; it is found by being there.
No torch is imported here: `prepare` and the checks of a configuration start fast.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TableNames:
    """The tables of one schema and split. At least one of them has to be there, and all of `required`."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return self.required + self.optional


@dataclass(frozen=True)
class PrepareOptions:
    """The settings of `prepare`.

    Attributes:
        raw_root: the data set's folder, or the folder that holds it, or a hub name or pattern of files where the data
            set takes one; None for a set that needs none.
        data_root: where the tables go.
        dataset_name: name of the tables of an image-caption folder, or of another source of captions.
        val_fraction: share of the training rows that become the validation split, where there is none.
        max_rejected_fraction: share of a table's rows that may be corrupt or missing.
        seed: draws the validation split.
        num_scenes: pictures of the sample set, all splits together.
        processes: how many processes write; 1 is this one.
        schemas: the schemas whose tables are written, for a set that draws itself; None for all.
        image_column: the images' column in tables, shards and annotation files; None to go by usual names.
        caption_columns: the captions' columns there; None to go by usual names.
    """

    raw_root: Path | None
    data_root: Path
    dataset_name: str | None = None
    val_fraction: float = 0.1
    max_rejected_fraction: float = 0.01
    seed: int = 0
    num_scenes: int = 6000
    processes: int = 1
    schemas: tuple[str, ...] | None = None
    image_column: str | None = None
    caption_columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class TableReport:
    """One table of a finished `prepare`.

    Attributes:
        table: its name, without `.arrow`.
        rows: its rows.
        texts: its captions or texts; 0 where it has none.
        rejected: rows left out, listed in `<table>.rejected.csv`.
        kept: it was there already, and was left as it is.
    """

    table: str
    rows: int
    texts: int
    rejected: int
    kept: bool


class DataSet(ABC):
    """A data set by its name in `datasets` and in `prepare with dataset=…`.

    Attributes:
        name: that name.
        schemas: the schemas of its examples, by name.
        draws_itself: it needs no raw files, so it is prepared on first use.
        reads_named_columns: its `prepare` heeds `image_column` and `caption_columns`.
    """

    name: str
    schemas: tuple[str, ...]
    draws_itself: bool = False
    reads_named_columns: bool = False

    @abstractmethod
    def tables(self, schema: str, split: str) -> TableNames:
        """The tables of a schema and split; none where the data set has no such split."""

    def splits(self, schema: str, data_root: Path) -> tuple[str, ...]:
        """The splits of a schema: "train", "val", and any number to evaluate on.

        Args:
            schema: one of `schemas`.
            data_root: where tables lie, for a data set whose splits are those that are there.
        """
        return ("train", "val", "test")

    @abstractmethod
    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        """Write every table from raw files. Raises UserError with the layout expected when they are not there."""
