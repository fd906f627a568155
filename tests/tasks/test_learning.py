"""Every task can learn: a tiny model of each type overfits sixteen examples."""

from __future__ import annotations

import pytest
import torch

from tests.tasks.conftest import EXAMPLES


@pytest.mark.parametrize("model_type", ["two-tower", "one-tower"])
@pytest.mark.parametrize(
    ("name", "steps"), [("mlm", 250), ("itm", 400), ("caption", 150), ("cifar10", 60), ("imdb", 60), ("snli", 60),
                        ("mrpc", 60), ("nlvr2", 60), ("ref", 100), ("vqa", 100), ("irtr", 200), ("contrastive", 60)]
)  # fmt: skip
def test_a_task_overfits_sixteen_examples(ask, name, steps, model_type):
    asked = ask(name, model_type=model_type, training=True)
    model, task, batch = asked.model.train(), asked.task.train(), asked.maker.make([*range(EXAMPLES)])
    optimizer = torch.optim.AdamW([*model.parameters(), *task.parameters()], lr=3e-3)
    for _ in range(steps):
        outcome = task(asked.on(batch))
        optimizer.zero_grad()
        outcome.loss.backward()
        optimizer.step()
    task.eval()
    model.eval()
    outcome = task(asked.on(batch))
    assert outcome.values["score" if name == "vqa" else "accuracy"].mean() == 1.0
    assert outcome.loss < 0.2
