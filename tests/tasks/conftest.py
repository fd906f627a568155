"""Sixteen examples that a tiny model can learn by heart, shared by the tests of tasks."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

EXAMPLES = 16
TINY = {
    "random_init_text_encoder": True,
    "text_encoder_manual_configuration": True,
    "text_encoder_hidden_size": 32,
    "text_encoder_num_layers": 1,
    "text_encoder_drop_rate": 0.0,
    "random_init_vision_encoder": True,
    "image_encoder_manual_configuration": True,
    "image_encoder_hidden_size": 32,
    "image_encoder_num_layers": 1,
    "image_encoder_drop_rate": 0.0,
    "cross_layer_hidden_size": 32,
    "num_cross_layers": 1,
    "cross_layer_drop_rate": 0.0,
    "random_init_encoder": True,
    "encoder_manual_configuration": True,
    "hidden_size": 32,
    "num_layers": 2,
    "drop_rate": 0.0,
    "decoder_hidden_size": 32,
    "decoder_num_layers": 1,
    "decoder_drop_rate": 0.0,
    "image_size": 32,
    "patch_size": 16,
}


def picture(number: int) -> bytes:
    """A picture of noise, another for each number."""
    noise = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    """Tables of sixteen examples whose labels and words follow from nothing but the example itself."""
    root = tmp_path_factory.mktemp("arrow")
    images, numbers = [picture(number) for number in range(EXAMPLES)], range(EXAMPLES)
    letters = "abcdefghijklmnop"
    texts = [" ".join(letters[(number * step) % EXAMPLES] for step in (1, 3, 5, 7)) for number in numbers]
    tables = {
        "sixteen_train": {"image": images, "caption": [[text] for text in texts]},
        "cifar10_train": {"image": images, "label": [number % 4 for number in numbers]},
        "imdb_train": {"text": texts, "label": [number // 2 % 2 for number in numbers]},
    }
    for name, columns in tables.items():
        table = pa.table(columns)
        if "label" in columns:
            table = table.replace_schema_metadata({b"label_names": b'["0", "1", "2", "3"]'})
        with pa.OSFile(str(root / f"{name}.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    return root
