"""CIFAR-10: ten classes of 32 x 32 pictures, kept as PNG.

https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from renaissance.data.images.decode import open_image
from renaissance.data.preparing.raw_files import find_root, hold_out_validation, read_image, whole_text
from renaissance.data.preparing.rejected import Rejected
from renaissance.data.preparing.unpickling import open_pickle
from renaissance.data.preparing.writing import RawRow, TablePlan, write_tables
from renaissance.data.sets.interface import DataSet, PrepareOptions, TableNames, TableReport
from renaissance.data.tables.table import with_label_names
from renaissance.errors import UserError

LAYOUT = """
cifar-10-batches-py/data_batch_1 … data_batch_5 and test_batch            (or without that folder), or
cifar-10-batches-bin/data_batch_1.bin … data_batch_5.bin and test_batch.bin, or
train/<class>/*.png and test/<class>/*.png    with a folder for each of the ten classes (PNG or JPEG), or
<class>/*.png    with a folder for each of the ten classes, without a test split
"""
LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE  # bytes of a picture: all red, all green, all blue
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PICTURE_FILES = (".png", ".jpg", ".jpeg")

SCHEMA = with_label_names(pa.schema([("image", pa.binary()), ("label", pa.int64()), ("image_id", pa.string())]), LABELS)


@dataclass(frozen=True)
class BatchRow:
    """A picture in one of the batch files."""

    path: str
    place: int

    @property
    def source(self) -> str:
        return f"{self.path}, picture {self.place}"


@dataclass(frozen=True)
class PictureRow:
    """A picture in a file of its own."""

    path: str
    label: int

    @property
    def source(self) -> str:
        return self.path


class Cifar10(DataSet):
    """Tables `cifar10_{train,val,test}`."""

    name = "cifar10"
    schemas = ("cifar10",)

    def tables(self, schema: str, split: str) -> TableNames:
        table = f"cifar10_{split}"
        return TableNames(optional=(table,)) if split == "test" else TableNames(required=(table,))

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        root = find_root(options, lambda folder: _form(folder) is not None, "cifar10", LAYOUT)
        form = _form(root)
        assert form is not None
        splits: dict[str, list[RawRow]] = form(root)
        parameters = hold_out_validation(splits, options)
        order: tuple[str, ...] = ("train", "val", "test")
        plans = [
            TablePlan(f"cifar10_{split}", SCHEMA, splits[split], len(splits[split]), make_row)
            for split in order
            if split in splits
        ]
        return write_tables(plans, options, parameters)


def make_row(row: BatchRow | PictureRow) -> dict[str, object]:
    """The row of a picture. Raises Rejected when it cannot be read."""
    if isinstance(row, PictureRow):
        path = Path(row.path)
        data = read_image(path)
        png = data if data.startswith(_PNG_START) else _png(open_image(data))
        return {"image": png, "label": row.label, "image_id": whole_text(f"{path.parent.name}/{path.name}")}
    pixels, labels, names = _open_batch(row.path)
    label = int(labels[row.place])
    if not 0 <= label < len(LABELS):
        raise Rejected(f"its label is {label}")
    colours_last = pixels[row.place].reshape(3, _SIDE, _SIDE).transpose(1, 2, 0)
    return {"image": _png(Image.fromarray(colours_last)), "label": label, "image_id": names[row.place]}


def _form(folder: Path) -> Callable[[Path], dict[str, list[RawRow]]] | None:
    """The function that lists the pictures of a folder, by how they lie there."""
    if (folder / "data_batch_1").is_file():
        return _pickled
    if (folder / "data_batch_1.bin").is_file():
        return _binary
    if _class_folders(folder / "train") or _class_folders(folder):
        return _pictures
    return None


def _pickled(root: Path) -> dict[str, list[RawRow]]:
    return _batches(root, "")


def _binary(root: Path) -> dict[str, list[RawRow]]:
    return _batches(root, ".bin")


def _batches(root: Path, suffix: str) -> dict[str, list[RawRow]]:
    files: dict[str, list[Path]] = {
        "train": [root / f"data_batch_{number}{suffix}" for number in range(1, 6)],
        "test": [root / f"test_batch{suffix}"],
    }
    missing = [path.name for paths in files.values() for path in paths if not path.is_file()]
    if missing:
        raise UserError(f"{root} is not complete: {', '.join(missing)} missing. Unpack CIFAR-10 again.")
    return {
        split: [BatchRow(str(path), place) for path in paths for place in range(len(_open_batch(str(path))[1]))]
        for split, paths in files.items()
    }


@lru_cache(maxsize=1)
def _open_batch(path: str) -> tuple[NDArray[np.uint8], Sequence[int], list[str]]:
    """Pixels (N, 3072), labels (N,) and names (N,) of a batch file. Raises UserError when it is damaged."""
    if path.endswith(".bin"):
        records = np.fromfile(path, np.uint8)
        if not len(records) or len(records) % (_PIXELS + 1):
            raise UserError(f"{path} has {len(records)} bytes, no multiple of {_PIXELS + 1}: a broken download?")
        records = records.reshape(-1, _PIXELS + 1)
        stem = Path(path).stem
        return records[:, 1:], records[:, 0].tolist(), [f"{stem}_{place:05d}.png" for place in range(len(records))]
    content = open_pickle(Path(path))
    pixels: Any = content.get("data")
    labels: Any = content.get("labels")
    names: Any = content.get("filenames")
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != _PIXELS:
        raise UserError(f"{path} has no array data of {_PIXELS} bytes a picture.")
    if not isinstance(labels, list) or len(labels) != len(pixels) or not all(type(label) is int for label in labels):
        raise UserError(f"{path} has no label for each picture.")
    if not isinstance(names, list) or len(names) != len(pixels):
        names = [f"{Path(path).name}_{place:05d}.png" for place in range(len(pixels))]
    return pixels, labels, [str(name) for name in names]


def _pictures(root: Path) -> dict[str, list[RawRow]]:
    order: tuple[str, ...] = ("train", "val", "test")
    folders = {split: _class_folders(root / split) for split in order}
    folders["train"] = folders["train"] or _class_folders(root)
    return {split: _labelled(found) for split, found in folders.items() if found}


def _labelled(folders: Sequence[Path]) -> list[RawRow]:
    return [
        PictureRow(str(path), LABELS.index(folder.name))
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _PICTURE_FILES
    ]


def _class_folders(folder: Path) -> list[Path]:
    """The folders of the ten classes, or nothing where one of them is missing."""
    folders = [folder / label for label in LABELS]
    return folders if all(path.is_dir() for path in folders) else []


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
