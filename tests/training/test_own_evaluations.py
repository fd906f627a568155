"""An `Evaluation` of one's own: it sees each example of a split once, and what it computes is what the run records."""

from __future__ import annotations

import json

import pytest
import torch

from renaissance.errors import UserError
from renaissance.registrations import Registrations
from renaissance.tasks import registry
from renaissance.tasks.behaviours.classification import ClassificationTask
from renaissance.tasks.common.evaluation import Evaluation
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.declaration import Metric, TaskDeclaration
from renaissance.tasks.imdb import TASK as IMDB

SEEN: list[tuple[str, bool, list[int]]] = []  # of each evaluation its split, whether it is a test, and the examples


class Counting(Evaluation):
    """Counts the examples."""

    def __init__(self, split):
        self.split, self.indices = split, []
        SEEN.append((split.name, split.tested, self.indices))

    def update(self, step, outcome):
        assert len(outcome.values["loss"]) == step.batch.examples
        self.indices += step.batch.index.tolist()

    def compute(self):
        return {"seen": float(len(self.split.gathered(self.indices)))}

    def predictions(self):
        return [{"id": self.split.examples.value(index, "id"), "answer": index} for index in self.indices]


class CountedTask(ClassificationTask):
    def evaluation(self, split):
        return Counting(split)


@pytest.fixture
def counted(monkeypatch):
    """A task that is judged by it, known for a test."""
    monkeypatch.setattr(registry, "_registered", Registrations("task"))
    SEEN.clear()
    registry.register_task(
        TaskDeclaration(
            "counted", IMDB.needs, CountedTask, (Metric("seen", more_is_better=True),), "seen", predicts=True
        )
    )
    return {"loss_names": {"counted": 1, "mlm": 0, "itm": 0}, "warmup_steps": 0, "max_steps": 4, "exp_name": "counted"}


@pytest.mark.parametrize("batch", [3, 64])
def test_each_example_is_seen_once_at_each_evaluation(run, counted, batch):
    folder, final = run("task_mlm", "scenes", "tiny", **counted, val_check_interval=2, eval_batch_size=batch)
    assert [(split, tested) for split, tested, _ in SEEN] == [("val", False), ("val", False), ("test", True)]
    assert all(indices == list(range(5)) for *_, indices in SEEN)
    assert (final["counted/val/seen"], final["counted/test/seen"]) == (5, 5)
    rows = [json.loads(line) for line in (folder.path / "predictions" / "counted_test.jsonl").read_text().splitlines()]
    assert [row["answer"] for row in rows] == list(range(5))
    assert len({row["id"] for row in rows}) == 5
    assert not (folder.path / "predictions" / "counted_val.jsonl").exists()


def test_a_trial_looks_at_a_batch_of_each_split(run, counted):
    run("task_mlm", "scenes", "tiny", **counted, fast_dev_run=True, eval_batch_size=3)
    assert [(split, indices) for split, _, indices in SEEN] == [("val", [0, 1, 2]), ("test", [0, 1, 2])]


class Misspelt(Counting):
    def compute(self):
        return {"sehen": 1.0}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"evaluation": lambda task, split: Misspelt(split)}, r"counted: its monitor 'seen' is not among .*\(sehen\)"),
        ({"forward": lambda task, step: Outcome({"accuracy": torch.ones(3)})}, "gave no 'loss' among its values"),
        ({"forward": lambda task, step: Outcome({"loss": torch.tensor(1.0)})}, r"'loss' has the shape \(\)"),
    ],
)
def test_what_a_task_of_ones_own_does_wrong_is_said_before_it_costs_a_training(
    run, counted, monkeypatch, changed, said
):
    for name, function in changed.items():
        monkeypatch.setattr(CountedTask, name, function)
    with pytest.raises(UserError, match=said):
        run("task_mlm", "scenes", "tiny", **counted, val_check_interval=1)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (lambda task, step: [{"answer": 1}], r"`answers` gave 1 for \d examples"),
        (lambda task, step: [{"answer": torch.ones(1)}] * step.batch.examples, "no plain value, fit for JSON"),
    ],
)
def test_answers_that_cannot_be_written_are_said_at_the_first_validation(run, counted, monkeypatch, answers, said):
    monkeypatch.setattr(CountedTask, "evaluation", ClassificationTask.evaluation)
    monkeypatch.setattr(CountedTask, "answers", answers)
    with pytest.raises(UserError, match=said):
        run("task_mlm", "scenes", "tiny", **counted, val_check_interval=1, monitor="counted/val/seen")
