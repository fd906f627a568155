"""Visual Genome's region descriptions: a caption a region. For training only.

https://homes.cs.washington.edu/~ranjay/visualgenome/api.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from renaissance.data.preparing.raw_files import find_root, iterate_json_array, read_image, whole_text
from renaissance.data.preparing.writing import TablePlan, write_tables
from renaissance.data.sets.interface import DataSet, PrepareOptions, TableNames, TableReport
from renaissance.errors import UserError

LAYOUT = """
images/VG_100K/ and images/VG_100K_2/     pictures <id>.jpg (or these two folders without images/)
annotations/region_descriptions.json      (or without annotations/)
"""
_ANNOTATIONS = ("annotations/region_descriptions.json", "region_descriptions.json")
_FOLDERS = ("images/VG_100K", "images/VG_100K_2", "VG_100K", "VG_100K_2")
_BOX = ("width", "height", "x", "y")
_MOST_NUMBER = 1 << 40  # more than any image id or pixel, and fits the table's integers

SCHEMA = pa.schema(
    [
        ("image", pa.binary()),
        ("caption", pa.list_(pa.string())),
        *((side, pa.list_(pa.int64())) for side in _BOX),
        ("image_id", pa.string()),
    ]
)


@dataclass(frozen=True)
class RegionsRow:
    """An image and its regions.

    Attributes:
        root: the data set's folder.
        image_id: the image's number.
        phrases: a region each.
        boxes: width, height, x and y of each region, in pixels.
    """

    root: str
    image_id: int
    phrases: tuple[str, ...]
    boxes: tuple[tuple[int, int, int, int], ...]

    @property
    def source(self) -> str:
        return f"{self.image_id}.jpg"


class VisualGenome(DataSet):
    """The table `vg`."""

    name = "vg"
    schemas = ("caption",)

    def tables(self, schema: str, split: str) -> TableNames:
        return TableNames(required=("vg",)) if split == "train" else TableNames()

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        root = find_root(options, _is_root, "vg", LAYOUT)
        # The file has 5.4 million regions, so it is read along as the table is written, and not counted first.
        plan = TablePlan("vg", SCHEMA, RegionsFile(root), None, make_regions_row, "caption")
        return write_tables([plan], options, {})


@dataclass(frozen=True)
class RegionsFile:
    """The rows of `region_descriptions.json`, each time from its beginning."""

    root: Path

    def __iter__(self) -> Iterator[RegionsRow]:
        path = next(self.root / name for name in _ANNOTATIONS if (self.root / name).is_file())
        for number, image in enumerate(iterate_json_array(path)):
            try:
                row = self._row(image)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise UserError(f"{path}: image number {number} is not of the expected form: {error!r}.") from None
            if row.phrases:  # some of its pictures have none
                yield row

    def _row(self, image: Any) -> RegionsRow:
        regions = [region for region in image["regions"] if region["phrase"].strip()]
        return RegionsRow(
            root=str(self.root),
            image_id=_number(image["id"]),
            phrases=tuple(whole_text(region["phrase"]) for region in regions),
            boxes=tuple(tuple(_number(region[side]) for side in _BOX) for region in regions),  # type: ignore[misc]
        )


def _number(value: Any) -> int:
    number = int(value)
    if not -_MOST_NUMBER < number < _MOST_NUMBER:
        raise ValueError(f"the number {number:.3e} cannot be")
    return number


def make_regions_row(row: RegionsRow) -> dict[str, object]:
    """The row with the image file's own bytes. Raises Rejected when the image is missing or damaged."""
    candidates = [Path(row.root) / folder / f"{row.image_id}.jpg" for folder in _FOLDERS]
    image = read_image(next((path for path in candidates if path.is_file()), candidates[0]))
    sides = {side: [box[place] for box in row.boxes] for place, side in enumerate(_BOX)}
    return {"image": image, "caption": list(row.phrases), **sides, "image_id": str(row.image_id)}


def _is_root(folder: Path) -> bool:
    annotated = any((folder / name).is_file() for name in _ANNOTATIONS)
    return annotated and any((folder / name).is_dir() for name in _FOLDERS)
