"""Image-text tables in Parquet, and the tables `<name>_{train,val,test}` that come of them.

`prepare with dataset=parquet dataset_name=pokemon raw_root=…`, then `datasets=["pokemon"]`.
"""

from __future__ import annotations

from pathlib import Path

from renaissance.data.preparing.image_texts import write_image_texts
from renaissance.data.preparing.raw_files import find_root
from renaissance.data.preparing.splits import splits_of_files
from renaissance.data.preparing.table_files import PARQUET, make_table_row, table_rows
from renaissance.data.sets.folder import CaptionTables, table_name
from renaissance.data.sets.interface import PrepareOptions, TableReport

LAYOUT = """
*.parquet     in it or in folders below, with a column of images (bytes, {bytes, path}, or a path) and one of captions
              (a text or a list of texts). Names such as train-00000-of-00002.parquet or folders train/ val/ test/
              divide them; without a val split, a share of the training pictures (val_fraction) becomes one.
"""


class Parquet(CaptionTables):
    """Tables that come of Parquet files."""

    def __init__(self) -> None:
        super().__init__("parquet")

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        root = find_root(options, lambda folder: bool(parquet_files(folder)), "parquet", LAYOUT)
        return prepare_parquet(root, options)


def parquet_files(folder: Path) -> list[Path]:
    """The Parquet files of a folder and of those below it, but for hidden ones, in the order of their names."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix in PARQUET and path.is_file())
    return sorted(folder / path for path in found if not any(part.startswith(".") for part in path.parts))


def prepare_parquet(root: Path, options: PrepareOptions) -> list[TableReport]:
    """Write the tables of a folder of Parquet files.

    Raises:
        UserError: they cannot be read, or the tables cannot be written.
    """
    name = table_name(options.dataset_name, root)
    rows, columns = table_rows(splits_of_files(parquet_files(root), root), root, options)
    return write_image_texts(name, rows, make_table_row, columns, options)
