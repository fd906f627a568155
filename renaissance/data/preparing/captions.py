"""Tables of images with captions, in the columns that ViLT and METER write and read (arrow-tables of this field).

In: for each split, images with their captions, as annotation files name them. Out: table plans.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from renaissance.data.preparing.raw_files import MOST_IMAGE_BYTES, inside, load_json, read_file, read_image, whole_text
from renaissance.data.preparing.rejected import Listed, Rejected
from renaissance.data.preparing.splits import digest_of
from renaissance.data.preparing.writing import TablePlan
from renaissance.data.sets.interface import PrepareOptions
from renaissance.errors import UserError
from renaissance.processes import map_in_order

MOST_CHARACTERS = 131_072  # of a caption
_ROWS_A_TASK = 256

CAPTION_SCHEMA = pa.schema(
    [("image", pa.binary()), ("caption", pa.list_(pa.string())), ("image_id", pa.string()), ("split", pa.string())]
)


@dataclass(frozen=True)
class CaptionRow:
    """An image and its captions.

    Attributes:
        folder: where the image lies.
        name: its path in there, as an annotation file has it.
        captions: its captions; a row without any is rejected, and blank ones are left out.
        split: as the data set calls it.
    """

    folder: str
    name: str
    captions: tuple[str, ...]
    split: str

    @property
    def source(self) -> str:
        return f"{self.folder}/{self.name}"


def make_caption_row(row: CaptionRow) -> dict[str, object]:
    """The row with the image file's own bytes. Raises Rejected when it has no caption or no whole image."""
    path = inside(Path(row.folder), row.name)
    captions = [whole_text(caption) for caption in row.captions if caption.strip()]
    if not captions:
        raise Rejected("it has no caption")
    return {"image": read_image(path), "caption": captions, "image_id": whole_text(path.name), "split": row.split}


def caption_plan(table: str, rows: Sequence[CaptionRow], rejected: Sequence[Listed] = ()) -> TablePlan:
    """The plan of one table; `rejected` are lines of its annotations that could not be read."""
    return TablePlan(table, CAPTION_SCHEMA, rows, len(rows), make_caption_row, "caption", rejected)


def digests_of(rows: Sequence[CaptionRow], options: PrepareOptions) -> list[str]:
    """Of each row the digest of its image file; "" where that cannot be read. Every file is read once."""
    tasks = (rows[start : start + _ROWS_A_TASK] for start in range(0, len(rows), _ROWS_A_TASK))
    with tqdm(total=len(rows), desc="looking through", unit=" images", disable=None, leave=False) as bar:
        digests: list[str] = []
        for found in map_in_order(_digests, tasks, options.processes):
            digests += found
            bar.update(len(found))
    return digests


def _digests(rows: Sequence[CaptionRow]) -> list[str]:
    def digest(row: CaptionRow) -> str:
        try:
            return digest_of(read_file(inside(Path(row.folder), row.name), MOST_IMAGE_BYTES))
        except Rejected:  # it is listed when the row is made
            return ""

    return [digest(row) for row in rows]


def group_captions(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """(image, caption) pairs to the captions of each image, in the order of their first caption."""
    captions: dict[str, list[str]] = {}
    for image, caption in pairs:
        captions.setdefault(image, []).append(caption)
    return captions


def karpathy_rows(path: Path, folder: Path) -> dict[str, list[CaptionRow]]:
    """The rows of each split in one of Karpathy's files (`dataset_coco.json`, `dataset_flickr30k.json`).

    Args:
        path: the file.
        folder: the folder that its file paths start from.

    Raises:
        UserError: the file is not of that form.
    """
    content = load_json(path, drop="tokens")
    splits: dict[str, list[CaptionRow]] = {}
    try:
        for image in content["images"]:
            captions = tuple(_text(sentence["raw"]) for sentence in image["sentences"])
            # One path, so that both parts of it are checked.
            name = "/".join(_text(image[part]) for part in ("filepath", "filename") if part in image)
            row = CaptionRow(str(folder), name, captions, _text(image["split"]))
            splits.setdefault(row.split, []).append(row)
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} is not one of Karpathy's files: {error!r} is missing or of another type.") from None
    return splits


def official_rows(path: Path, folder: Path, split: str) -> list[CaptionRow]:
    """The rows of one of COCO's own files (`captions_train2017.json`). Images without captions are left out.

    Raises:
        UserError: the file is not of that form.
    """
    content: Any = load_json(path)
    try:
        captions: Mapping[int, list[str]] = {image["id"]: [] for image in content["images"]}
        for annotation in content["annotations"]:
            captions[annotation["image_id"]].append(_text(annotation["caption"]))
        return [
            CaptionRow(str(folder), _text(image["file_name"]), tuple(captions[image["id"]]), split)
            for image in content["images"]
            if captions[image["id"]]
        ]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} is not a COCO caption file: {error!r} is missing or of another type.") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.50} should be text")
    return value
