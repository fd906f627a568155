"""Rows of an image with its captions from sources that are no folder of files: tables and tar shards.

In: an image's bytes and captions by the column that they come from. Out: rows of caption tables, in which a caption's
source has a column of its own where there are several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from renaissance.data.images.decode import BadImage, check_image
from renaissance.data.preparing.captions import CAPTION_SCHEMA, MOST_CHARACTERS
from renaissance.data.preparing.image_text_columns import SourceColumns
from renaissance.data.preparing.raw_files import MOST_IMAGE_BYTES, whole_text
from renaissance.data.preparing.rejected import Rejected
from renaissance.data.preparing.splits import SPLITS, by_split, digest_of, hold_out_images
from renaissance.data.preparing.writing import TablePlan, write_tables
from renaissance.data.sets.interface import PrepareOptions, TableReport
from renaissance.errors import UserError

SOURCE_COLUMN = "caption_source"  # the column that each caption of a row comes from
MOST_CAPTIONS = 10_000  # of an image


class ImageTextRow(Protocol):
    """A reference to an image with captions.

    Attributes:
        split: as the source calls it.
        digest: of the image's bytes; "" where they cannot be read.
        source: where it lies, for the list of rejected rows.
        fault: why it cannot be used; "" where nothing is known against it.
    """

    @property
    def split(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def fault(self) -> str: ...


def write_image_texts(
    name: str,
    rows: Sequence[ImageTextRow],
    make_row: Callable[[Any], dict[str, object]],
    columns: SourceColumns,
    options: PrepareOptions,
) -> list[TableReport]:
    """Write the tables `<name>_{train,val,test}`: of the source's own splits, or with a share of them held out.

    Args:
        name: what the tables are called.
        rows: all of them, in the order of the source.
        make_row: see `TablePlan`.
        columns: those that are read; kept with the tables.
        options: the settings of `prepare`.

    Raises:
        UserError: there is nothing for training, or the tables cannot be written.
    """
    splits = by_split(rows)
    if "train" not in splits:
        found = f"only {' and '.join(splits)}" if splits else "nothing"
        raise UserError(f"{options.raw_root} has no row for training, {found}.")
    parameters: dict[str, object] = {"caption_columns": columns.captions, "image_column": columns.images}
    if "val" not in splits:
        train = splits["train"]
        faults = [f"{row.source} ({row.fault})" for row in train if row.fault]
        parameters |= hold_out_images(splits, [row.digest for row in train], options, faults)
    schema = CAPTION_SCHEMA
    if len({source_of(column) for column in columns.captions}) < len(columns.captions):
        raise UserError(
            f"caption_columns={list(columns.captions)}: captions go by the name behind the last dot, and two columns "
            "have the same. Rename one."
        )
    if len(columns.captions) > 1:
        schema = schema.append(pa.field(SOURCE_COLUMN, pa.list_(pa.string())))
    plans = [
        TablePlan(f"{name}_{split}", schema, splits[split], len(splits[split]), make_row, "caption")
        for split in SPLITS
        if splits.get(split)
    ]
    return write_tables(plans, options, parameters)


def image_text_row(
    row: ImageTextRow, image: bytes, captions: Mapping[str, Sequence[str]], image_id: str
) -> dict[str, object]:
    """A row of a caption table.

    Args:
        row: what it is made of.
        image: the bytes of the image file.
        captions: by the column that they come from; blank ones are left out.
        image_id: the image's name.

    Raises:
        Rejected: it has no whole image or no caption, or one that cannot be used; or it was exchanged meanwhile.
    """
    texts = [(column, text) for column, column_texts in captions.items() for text in column_texts if text.strip()]
    if not texts:
        raise Rejected("it has no caption")
    if any(len(text) > MOST_CHARACTERS for _, text in texts):
        raise Rejected(f"its caption has more than {MOST_CHARACTERS:,} characters")
    if len(image) > MOST_IMAGE_BYTES:
        raise Rejected(f"the image has more than {MOST_IMAGE_BYTES:,} bytes")
    if digest_of(image) != row.digest:
        raise Rejected("the image changed while it was prepared")
    try:
        check_image(image)
    except BadImage as error:
        raise Rejected(f"the image cannot be read: {error}") from None
    return {
        "image": image,
        "caption": [whole_text(text) for _, text in texts],
        "image_id": whole_text(image_id),
        "split": row.split,
        SOURCE_COLUMN: [source_of(column) for column, _ in texts],
    }


def source_of(column: str) -> str:
    """What captions of a column go by: its name behind the last dot, since a setting's key cannot have dots."""
    return column.rpartition(".")[2]
