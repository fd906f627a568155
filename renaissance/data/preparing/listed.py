"""Large caption sets that come as a folder of pictures and a JSON list of (path, caption): read along, in shards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from renaissance.data.preparing.captions import CAPTION_SCHEMA, CaptionRow, make_caption_row
from renaissance.data.preparing.raw_files import iterate_json_array
from renaissance.data.preparing.writing import TablePlan
from renaissance.errors import UserError

SHARD_ROWS = 100_000


@dataclass(frozen=True)
class ListedImages:
    """The pairs `start` to `stop` of a list, each time read from the file.

    Attributes:
        path: the JSON list of [path, caption] pairs.
        split: as the data set calls it.
    """

    path: Path
    split: str
    start: int
    stop: int | None

    def __iter__(self) -> Iterator[CaptionRow]:
        for number, pair in enumerate(islice(iterate_json_array(self.path), self.start, self.stop), self.start):
            if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
                raise UserError(f"{self.path}: entry {number} is no pair of an image's path and a caption.")
            yield CaptionRow(str(self.path.parent), pair[0], (pair[1],), self.split)


def shard_plans(path: Path, split: str, table: str) -> list[TablePlan]:
    """The plans of the tables `<table>_0`, `<table>_1`, … of a list."""
    total = sum(1 for _ in ListedImages(path, split, 0, None))
    return [
        TablePlan(
            name=f"{table}_{shard}",
            schema=CAPTION_SCHEMA,
            rows=ListedImages(path, split, start, start + SHARD_ROWS),
            total=min(SHARD_ROWS, total - start),
            make_row=make_caption_row,
            text_column="caption",
        )
        for shard, start in enumerate(range(0, total, SHARD_ROWS))
    ]
