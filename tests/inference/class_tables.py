"""Hand-made tables of pictures in classes, and settings of a command that reads them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from config import ex
from renaissance.data.tables.table import with_label_names
from renaissance.settings import Settings, check_settings

NAMES = ("red", "green", "blue")
SIZES = {"train": 90, "val": 30, "test": 45}
SIDE = 32


def picture(label: int, random: np.random.Generator) -> bytes:
    """A PNG of noise that is somewhat stronger in the class's colour."""
    pixels = random.integers(0, 200, (SIDE, SIDE, 3))
    pixels[..., label % 3] += random.integers(12, 50)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def write_tables(
    folder: Path, sizes: Mapping[str, int] = SIZES, names: Sequence[str] | None = NAMES, unknown: int = 0
) -> dict[str, list[dict[str, Any]]]:
    """Write `cifar10_<split>.arrow` of so many pictures each; gives the rows.

    Args:
        folder: where to.
        sizes: pictures by split.
        names: the classes; None for a table without.
        unknown: how many of each split's rows have no class (null).
    """
    folder.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([("image", pa.binary()), ("label", pa.int64()), ("image_id", pa.string())])
    rows = {}
    for number, (split, size) in enumerate(sizes.items()):
        random = np.random.default_rng(number)
        labels = random.permutation(size) % len(NAMES)
        rows[split] = [
            {
                "image": picture(int(label), random),
                "label": -1 if place < unknown else int(label),
                "image_id": f"{place}",
            }
            for place, label in enumerate(labels)
        ]
        table = pa.Table.from_pylist(rows[split], with_label_names(schema, names) if names else schema)
        with (
            pa.OSFile(str(folder / f"cifar10_{split}.arrow"), "wb") as file,
            pa.ipc.new_file(file, table.schema) as out,
        ):
            out.write_table(table)
    return rows


def settings_of(command: str, *named: str, **overrides: Any) -> Settings:
    """Settings of a command line, checked for the command; one process on the CPU."""
    values: dict[str, Any] = dict(ex.configurations[0]())
    for name in named:
        values.update(ex.named_configs[name](preset=values))
    return check_settings({**values, "num_gpus": 0, "num_workers": 0, **overrides}, command)
