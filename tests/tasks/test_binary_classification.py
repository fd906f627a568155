"""F1 is that of scikit-learn over the whole split, and of the second class."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
import torch
from sklearn.metrics import f1_score

from renaissance.tasks.common.evaluation import Split
from tests.tasks.conftest import EXAMPLES, write_table

LABELS = [1, 0, 1, -1, 1, 0, 0, 1, 1, -1, 0, 1, 1, 0, 1, 1]


def table(labels: list[int | None]) -> dict[str, list[Any]]:
    words = [f"word{number} again" for number in range(EXAMPLES)]
    return {"text_a": words, "text_b": words[::-1], "label": labels}


def evaluated(asked, size: int) -> tuple[dict[str, float], list[str], list[dict[str, Any]]]:
    """The metrics of a split that is evaluated in batches of a size, the classes found, and the predictions."""
    evaluation = asked.task.evaluation(Split("test", asked.examples, tested=True))
    with torch.no_grad():
        for start in range(0, EXAMPLES, size):
            step = asked.step(range(start, min(start + size, EXAMPLES)))
            evaluation.update(step, asked.task(step))
    rows = evaluation.predictions()
    assert evaluation.chance() == {"accuracy": 0.5}, "of F1 it is not known"
    return evaluation.compute(), [row["answer"] for row in rows], rows


@pytest.mark.parametrize("size", [16, 5, 1])
def test_f1_is_scikit_learns(ask, tmp_path, size):
    write_table(tmp_path / "mrpc_train.arrow", table(LABELS))
    metrics, answers, rows = evaluated(ask("mrpc", root=tmp_path), size)
    found = [["different", "same"].index(answer) for answer in answers]
    known = [number for number, label in enumerate(LABELS) if label >= 0]
    pairs = [(LABELS[number], found[number]) for number in known]
    assert 0 < sum(found) < EXAMPLES, "both classes are found"
    assert metrics["f1"] == pytest.approx(f1_score(*zip(*pairs, strict=True)))
    assert metrics["accuracy"] == pytest.approx(sum(one == other for one, other in pairs) / len(pairs))
    assert [row["id"] for row in rows] == [f"mrpc_train/{number}" for number in range(EXAMPLES)]


@pytest.mark.parametrize("labels", [[-1] * EXAMPLES, [None] * EXAMPLES])
def test_a_split_without_answers_has_predictions_and_no_metrics(ask, tmp_path, labels):
    columns = table([0] * EXAMPLES)
    write_table(tmp_path / "mrpc_train.arrow", columns)
    answered = evaluated(ask("mrpc", root=tmp_path), 4)
    write_table(tmp_path / "mrpc_train.arrow", {**columns, "label": pa.array(labels, "int64")})
    metrics, _, rows = evaluated(ask("mrpc", root=tmp_path), 4)
    assert metrics == {}
    assert rows == [{name: value for name, value in row.items() if name != "values"} for row in answered[2]]


def test_texts_are_read_as_a_pair_with_segments(ask):
    asked = ask("mrpc")
    step = asked.step([0])
    tokens = step.batch.tokens
    text = asked.maker._text
    first, second = (asked.examples.value(0, column) for column in ("text", "text_pair"))
    alone = [ids for ids, _ in text.encode([first, second])]
    assert tokens.ids[0].tolist() == [*alone[0], *alone[1][1:]], "[CLS] first [SEP] second [SEP]"
    assert tokens.segments[0].tolist() == [0] * len(alone[0]) + [1] * (len(alone[1]) - 1)


@pytest.mark.parametrize("model_type", ["two-tower", "one-tower"])
@torch.no_grad()
def test_segments_reach_the_model(ask, model_type):
    asked = ask("mrpc", model_type=model_type)
    step = asked.step()
    given = asked.task.logits(step)
    step.batch.tokens.segments = torch.zeros_like(step.batch.tokens.segments)
    assert not torch.allclose(given, asked.task.logits(asked.on(step.batch)), atol=1e-6)
