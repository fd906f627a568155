"""Every task can learn: a tiny model of each type overfits sixteen examples."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from renaissance.data.images import ImageStatistics, ImageTransform
from renaissance.data.loading import make_train_loader
from renaissance.data.source import open_split
from renaissance.data.text import TextProcessor
from renaissance.models.build import build_model
from renaissance.tasks import load_task
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import TaskContext
from renaissance.training.pixels import Pixels

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


@pytest.mark.parametrize("model_type", ["two-tower", "one-tower"])
@pytest.mark.parametrize(
    ("name", "data_set", "steps"), [("mlm", "sixteen", 250), ("itm", "sixteen", 400), ("cifar10", "cifar10", 60),
                                    ("imdb", "imdb", 60)]
)  # fmt: skip
def test_a_task_overfits_sixteen_examples(make_settings, data_root, name, data_set, steps, model_type):
    settings = make_settings(
        **TINY, model_type=model_type, data_root=str(data_root), datasets=[data_set], loss_names={name: 1}
    )
    kind = load_task(name)
    source = open_split(settings, kind.needs, "train")
    text = TextProcessor.from_settings(settings, source.texts) if kind.needs.text else None
    torch.manual_seed(0)
    model = build_model(
        settings,
        vocab_size=text.vocab_size if text else 0,
        pad_id=text.pad_id if text else 0,
        image=kind.needs.image,
        text=kind.needs.text,
    )
    task = kind(TaskContext(settings, model, text, source.label_names))
    draw = kind.draw(settings, text)
    statistics = ImageStatistics.of_key("imagenet")
    loader = make_train_loader(
        source,
        batch_size=EXAMPLES,
        total_batches=1,
        image_transform=ImageTransform.of_settings(settings, statistics, training=True, captioned=True),
        text=text,
        draws={name: draw} if draw else {},
        seed=3,
        num_workers=0,
    )
    (batch,) = loader
    pixels = Pixels(statistics, 9) if kind.needs.image else None
    optimizer = torch.optim.AdamW([*model.parameters(), *task.parameters()], lr=3e-3)
    for _ in range(steps):
        outcome = task(Step(model, batch, pixels))
        optimizer.zero_grad()
        outcome.loss.backward()
        optimizer.step()
    task.eval()
    outcome = task(Step(model.eval(), batch, pixels))
    assert outcome.values["accuracy"].mean() == 1.0
    assert outcome.loss < 0.2
