"""The published layouts of raw files, made small by hand, and tables read with pyarrow alone."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from renaissance.data.sets import data_sets
from renaissance.data.sets.interface import PrepareOptions, TableReport


def prepare(dataset: str, raw_root: Path, data_root: Path, **options: Any) -> dict[str, TableReport]:
    """What `prepare with dataset=…` does, in this process; the reports by table."""
    reports = data_sets()[dataset].prepare(PrepareOptions(raw_root, data_root, **options))
    return {report.table: report for report in reports}


def read(path: Path) -> pa.Table:
    """A table, read whole and validated by pyarrow."""
    with pa.ipc.open_file(str(path)) as reader:
        table = reader.read_all()
    table.validate(full=True)
    return table


def picture(seed: int, form: str = "JPEG", size: tuple[int, int] = (40, 30)) -> bytes:
    """The bytes of a picture file; different seeds give different pictures."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def write(path: Path, content: bytes | str | Any) -> bytes:
    """Write bytes, text, or anything else as JSON; gives the bytes back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, bytes | str) else json.dumps(content)
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(data)
    return data


def shard(path: Path, files: Mapping[str, bytes] | Iterable[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """A tar file, as the standard library writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(files, Mapping):
        files = [(tarfile.TarInfo(name), data) for name, data in files.items()]
    with tarfile.open(path, "w") as archive:
        for info, data in files:
            if info.isreg():
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def karpathy(root: Path, splits: Mapping[str, Sequence[str]], captions: int = 5) -> dict[str, bytes]:
    """COCO as Karpathy's file divides it. `splits` has the images' names with their folder; gives their bytes."""
    images: list[dict[str, Any]] = []
    written: dict[str, bytes] = {}
    for split, names in splits.items():
        for name in names:
            folder, file = name.split("/")
            written[file] = write(root / name, picture(len(written)))
            sentences = [
                {"raw": f"caption {number} of {file}", "tokens": ["caption", "of"], "sentid": number}
                for number in range(captions)
            ]
            images.append({"filepath": folder, "filename": file, "split": split, "sentences": sentences, "cocoid": 1})
    write(root / "karpathy" / "dataset_coco.json", {"dataset": "coco", "images": images})
    return written


def official(root: Path, split: str, year: str, names: Sequence[str]) -> dict[str, bytes]:
    """A split of COCO as its own site has it, the annotations of the images interleaved; gives the images' bytes."""
    images = [{"id": 7 * number, "file_name": name} for number, name in enumerate(names)]
    annotations = [
        {"image_id": image["id"], "id": number, "caption": f"sentence {number} of {image['file_name']}"}
        for number in range(5)
        for image in reversed(images)
    ]
    write(root / "annotations" / f"captions_{split}{year}.json", {"images": images, "annotations": annotations})
    return {name: write(root / f"{split}{year}" / name, picture(number)) for number, name in enumerate(names)}


def cifar_pixels(number: int, seed: int) -> tuple[NDArray[np.uint8], list[int]]:
    """Pixels (number, 3072), all red, all green, all blue, and labels."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (number, 3072), dtype=np.uint8), random.integers(0, 10, number).tolist()


def from_cifar(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(3072,) to rows, columns, colours, pixel by pixel: an independent reading of the format's description."""
    image = np.zeros((32, 32, 3), np.uint8)
    for row in range(32):
        for column in range(32):
            for colour in range(3):
                image[row, column, colour] = pixels[1024 * colour + 32 * row + column]
    return image


def decode(data: bytes) -> NDArray[np.uint8]:
    """(H, W, 3) of a picture file."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
