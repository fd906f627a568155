"""Sixteen examples that a tiny model can learn by heart, shared by the tests of tasks."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import BatchMaker
from renaissance.data.examples.schema import CAPTIONS
from renaissance.data.examples.tables import TableExamples
from renaissance.data.images.pixels import Pixels
from renaissance.data.images.transform import ImageStatistics, ImageTransform
from renaissance.data.tables.table import with_label_names
from renaissance.data.text.processor import TextProcessor
from renaissance.models.build import build_model
from renaissance.models.interface import VisionLanguageEncoder
from renaissance.settings import Settings
from renaissance.tasks.behaviours import load_behaviour
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Task, TaskContext
from renaissance.tasks.registry import declaration_of

EXAMPLES = 16
STATISTICS = ImageStatistics.of_key("imagenet")
KNOWN_CLASSES = ("snli", "mrpc", "nlvr2", "ref", "sixteen")  # tables whose schema names the classes, or has none
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
    } | _downstream(images, texts)
    for name, columns in tables.items():
        names = None if name.split("_")[0] in KNOWN_CLASSES else ["0", "1", "2", "3"]
        write_table(root / f"{name}.arrow", columns, names)
    return root


def _downstream(images: list[bytes], texts: list[str]) -> dict[str, dict[str, list[Any]]]:
    """Tables for the six downstream tasks, in their published columns."""
    numbers = range(EXAMPLES)
    boxes = [[[0, 0, 16, 16], [16, 0, 16, 16], [0, 16, 32, 16], [8, 8, 8, 8]][: 2 + number % 3] for number in numbers]
    return {
        "snli_train": {"image": images, "sentences": [[text] for text in texts], "labels": [[n % 3] for n in numbers]},
        "mrpc_train": {"text_a": texts, "text_b": texts[::-1], "label": [number // 4 % 2 for number in numbers]},
        "nlvr2_train": {
            "image_0": images,
            "image_1": images[1:] + images[:1],
            "questions": [[text] for text in texts],
            "answers": [[str(number % 4 < 2)] for number in numbers],
        },
        "ref_train": {
            "image": images,
            "sentences": [[text] for text in texts],
            "bboxes": boxes,
            "labels": [number % len(own) for number, own in zip(numbers, boxes, strict=True)],
        },
        "vqa_train": {
            "image": images,
            "questions": [[text] for text in texts],
            "answer_labels": [[[number % 4, (number + 1) % 4][: 1 + number % 2]] for number in numbers],
            "answer_scores": [[[1.0, 1.0][: 1 + number % 2]] for number in numbers],
        },
    }


def write_table(path: Path, columns: dict[str, Any], label_names: Sequence[str] | None = None) -> None:
    """Write an Arrow table, with names of its classes where there are such."""
    table = pa.table(columns)
    if label_names is not None:
        table = table.replace_schema_metadata(with_label_names(table.schema, label_names).metadata)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


@dataclass
class Asked:
    """A task with random weights on examples, and batches of these as an evaluation makes them."""

    task: Task
    model: VisionLanguageEncoder
    examples: TableExamples
    maker: BatchMaker
    pixels: Pixels | None
    settings: Settings

    def step(self, indices: Sequence[int] | None = None) -> Step:
        """The step of some examples; None for all."""
        return self.on(self.maker.make([*range(len(self.examples))] if indices is None else list(indices)))

    def on(self, batch: Batch) -> Step:
        """The step of a batch, nothing of which is computed yet."""
        return Step(self.model, batch, self.pixels)


@pytest.fixture
def ask(make_settings: Callable[..., Settings], data_root: Path) -> Callable[..., Asked]:
    """Makes a task on the training table of a data set (its own, of the sixteen), for a model that is not trained."""

    def make(
        name: str,
        root: Path = data_root,
        data_set: str | None = None,
        training: bool = False,
        beside: Mapping[str, float] = MappingProxyType({}),
        **overrides: Any,
    ) -> Asked:
        declaration = declaration_of(name)
        behaviour, needs = load_behaviour(declaration), declaration.needs
        settings = make_settings(
            **TINY, data_root=str(root), datasets=["x"], loss_names={name: 1, **beside}, **overrides
        )
        table = data_set or ("sixteen" if needs.schema is CAPTIONS else name)
        examples = TableExamples([root / f"{table}_train.arrow"], needs)
        text = TextProcessor.from_settings(settings, lambda: examples.texts()) if needs.text else None
        torch.manual_seed(0)
        sides = behaviour.sides(declaration, settings)
        model = build_model(
            settings,
            vocab_size=text.vocab_size if text else 0,
            pad_id=text.pad_id if text else 0,
            image=sides.image,
            text=sides.text,
            fused=sides.fused,
            decoder=text if sides.decoder else None,
        )
        task = behaviour(TaskContext(declaration, settings, model, text, examples.class_names))
        collate = behaviour.collate(declaration, settings, text, training=training)
        transform = ImageTransform.of_settings(settings, STATISTICS, training=training, captioned=True)
        maker = BatchMaker(examples, transform, text, {name: collate} if collate else {}, seed=3, training=training)
        pixels = Pixels(STATISTICS, 9) if needs.image else None
        return Asked(task.eval(), model.eval(), examples, maker, pixels, settings)

    return make
