"""Small pictures and tables, the latter written with pyarrow alone, the way ViLT's and METER's scripts write them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from renaissance.data.preparing.prepare import prepare_data_set
from renaissance.data.sets import data_sets
from renaissance.settings import Settings

MakePicture = Callable[..., bytes]
WriteTable = Callable[..., Path]
SceneTables = dict[str, pa.Table]
SCENES = 1800  # num_scenes of `scene_tables`


@pytest.fixture(scope="session")
def make_picture() -> MakePicture:
    """Makes the bytes of an image file with soft random content."""

    def make(seed: int = 0, size: tuple[int, int] = (48, 36), form: str = "PNG", mode: str = "RGB") -> bytes:
        random = np.random.default_rng(seed)
        coarse = Image.fromarray(random.integers(0, 256, size=(6, 8, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize(size, Image.Resampling.BICUBIC).convert(mode).save(file, form)
        return file.getvalue()

    return make


@pytest.fixture(scope="session")
def write_table() -> WriteTable:
    """Writes columns to an Arrow file as `pa.RecordBatchFileWriter(sink, schema).write_table(table)` does."""

    def write(
        path: Path,
        columns: Mapping[str, Sequence[object] | pa.Array],
        rows_a_batch: int | None = None,
        metadata: dict[bytes, bytes] | None = None,
    ) -> Path:
        table = pa.table(dict(columns)).replace_schema_metadata(metadata)
        with pa.OSFile(str(path), "wb") as sink, pa.RecordBatchFileWriter(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=rows_a_batch)
        return path

    return write


@pytest.fixture
def caption_table(tmp_path: Path, make_picture: MakePicture, write_table: WriteTable) -> Path:
    """Twelve pictures with 0 to 3 captions each, in several record batches, as COCO's published tables."""
    pictures = [make_picture(seed) for seed in range(12)]
    captions = [[f"picture {row} said {number} times" for number in range(row % 4)] for row in range(12)]
    return write_table(
        tmp_path / "coco_caption_karpathy_train.arrow",
        {
            "image": pictures,
            "caption": pa.array(captions, pa.list_(pa.string())),
            "image_id": [f"{row}.png" for row in range(12)],
            "split": ["train"] * 12,
        },
        rows_a_batch=5,
    )


@pytest.fixture(scope="session")
def scene_tables(tmp_path_factory: pytest.TempPathFactory, make_settings: Callable[..., Settings]) -> SceneTables:
    """The sample set's tables of snli, mrpc, nlvr2, ref and vqa by their names, read by pyarrow alone."""
    folder = tmp_path_factory.mktemp("scene_tables")
    settings = make_settings(data_root=str(folder), num_scenes=SCENES)
    prepare_data_set(data_sets()["scenes"], settings, processes=2, schemas=("snli", "mrpc", "nlvr2", "ref", "vqa"))
    return {path.stem: pa.ipc.open_file(str(path)).read_all() for path in folder.glob("*.arrow")}
