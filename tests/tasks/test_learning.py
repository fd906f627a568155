"""Every task can learn: a tiny model of each type overfits sixteen examples."""

from __future__ import annotations

import pytest
import torch

from renaissance.data.batches.collate import BatchMaker
from renaissance.data.batches.loader import make_train_loader
from renaissance.data.examples.tables import open_split
from renaissance.data.images.pixels import Pixels
from renaissance.data.images.transform import ImageStatistics, ImageTransform
from renaissance.data.text.processor import TextProcessor
from renaissance.models.build import build_model
from renaissance.tasks.behaviours import load_behaviour
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import TaskContext
from renaissance.tasks.registry import declaration_of
from tests.tasks.conftest import EXAMPLES, TINY


@pytest.mark.parametrize("model_type", ["two-tower", "one-tower"])
@pytest.mark.parametrize(
    ("name", "data_set", "steps"), [("mlm", "sixteen", 250), ("itm", "sixteen", 400), ("caption", "sixteen", 150),
                                    ("cifar10", "cifar10", 60), ("imdb", "imdb", 60)]
)  # fmt: skip
def test_a_task_overfits_sixteen_examples(make_settings, data_root, name, data_set, steps, model_type):
    settings = make_settings(
        **TINY, model_type=model_type, data_root=str(data_root), datasets=[data_set], loss_names={name: 1}
    )
    declaration = declaration_of(name)
    behaviour, needs = load_behaviour(declaration), declaration.needs
    source = open_split(settings, needs, "train")
    text = TextProcessor.from_settings(settings, source.texts) if needs.text else None
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
    task = behaviour(TaskContext(declaration, settings, model, text, source.class_names))
    collate = behaviour.collate(declaration, settings, text, training=True)
    statistics = ImageStatistics.of_key("imagenet")
    transform = ImageTransform.of_settings(settings, statistics, training=True, captioned=True)
    maker = BatchMaker(source, transform, text, {name: collate} if collate else {}, seed=3, training=True)
    loader = make_train_loader([maker], batch_size=EXAMPLES, total_batches=1, seed=3, num_workers=0)
    (batch,) = loader
    pixels = Pixels(statistics, 9) if needs.image else None
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
