"""Which kind of input a path is: told by its ending, a folder being one of images."""

from __future__ import annotations

from pathlib import Path

from renaissance.errors import UserError
from renaissance.predicting.sources.interface import Source

TEXTS, ARROW, PARQUET = (".csv", ".jsonl", ".ndjson"), (".arrow", ".feather"), (".parquet", ".pq")
KINDS = (*TEXTS, *PARQUET, *ARROW)


def open_source(path: Path) -> Source:
    """The input at a path.

    Raises:
        UserError: it is of no kind that can be read, or is damaged.
    """
    if path.is_dir():
        from renaissance.predicting.sources.images import ImageFolder

        return ImageFolder(path)
    suffix = path.suffix.lower()
    if suffix in TEXTS:
        from renaissance.predicting.sources.records import Records

        return Records(path)
    if suffix in PARQUET:
        from renaissance.predicting.sources.parquet import ParquetRows

        return ParquetRows(path)
    if suffix in ARROW:
        from renaissance.predicting.sources.arrow import ArrowRows

        return ArrowRows(path)
    raise UserError(f"input={str(path)!r}: must be a folder of images, or a file that ends in {', '.join(KINDS)}")
