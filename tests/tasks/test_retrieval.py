"""Retrieval: a split's recalls are those of scoring every pair, whatever batches it comes in."""

from __future__ import annotations

import pytest
import torch

from renaissance.models.interface import Features
from renaissance.tasks.common import ranking
from renaissance.tasks.common.evaluation import Split
from renaissance.tasks.metrics.recall import recalls_of_all_scores
from tests.tasks.conftest import picture, write_table

TEXTS = [["a b c", "d"], ["e f"], ["g h i j k", "c b a", "k"], ["f e"], ["b"], ["h i"], ["j a"]]


@pytest.fixture
def asked(ask, tmp_path):
    """Gives the task with random weights on seven images with ten texts."""
    write_table(tmp_path / "sixteen_train.arrow", {"image": [picture(n) for n in range(7)], "caption": TEXTS})
    return lambda model_type: ask("irtr", root=tmp_path, model_type=model_type)


def evaluated(asked, size):
    evaluation = asked.task.evaluation(Split("test", asked.examples))
    with torch.no_grad():
        for start in range(0, len(asked.examples), size):
            step = asked.step(range(start, min(start + size, len(asked.examples))))
            evaluation.update(step, asked.task(step))
        return evaluation.compute()


@pytest.mark.parametrize("model_type", ["two-tower", "one-tower"])
@torch.no_grad()
def test_equals_scoring_every_pair(asked, monkeypatch, model_type):
    given = asked(model_type)
    step = given.step()
    rows = step.batch.row.tolist()
    scores = []
    for text, row in enumerate(rows):
        found = []
        for image in range(7):
            pair = [rows.index(image)]
            one = Features(step.text.hidden[[text]], step.text.mask[[text]])
            other = Features(step.image.hidden[pair], step.image.mask[pair])
            found.append(given.task.score(given.model, one, other))
        scores.append((row, torch.cat(found)))
    expected = recalls_of_all_scores(scores, list(range(7)))
    assert len({round(float(score), 6) for _, one in scores for score in one}) > 20, "the scores differ"
    own = [float(found[row]) for row, found in scores]
    assert [answer["score"] for answer in given.task.answers(step)] == pytest.approx(own, abs=1e-5)
    monkeypatch.setattr(ranking, "BLOCK", 3)
    for size in (10, 4, 1):
        metrics = evaluated(given, size)
        assert {name: metrics[name] for name in expected} == expected, size


@pytest.mark.parametrize("model_type", ["two-tower", "one-tower"])
def test_loss_and_accuracy_do_not_depend_on_the_batches(asked, model_type):
    given = asked(model_type)
    whole = evaluated(given, 10)
    assert 0 < whole["loss"] < 10
    for size in (4, 1):
        assert evaluated(given, size) == pytest.approx(whole, rel=1e-4), size


def test_it_knows_what_ranking_at_random_would_reach(asked):
    given = asked("two-tower")
    evaluation = given.task.evaluation(Split("test", given.examples))
    with torch.no_grad():
        step = given.step()
        evaluation.update(step, given.task(step))
    metrics, chance = evaluation.compute(), evaluation.chance()
    assert chance.keys() < metrics.keys()
    assert chance == pytest.approx({
        "ir_r1": 1 / 7, "ir_r5": 5 / 7, "ir_r10": 1, "tr_r10": 1,
        "tr_r1": (2 + 3 + 5 * 1) / 7 / 10,  # of 10 texts one image has 2, one 3, five have 1
        "tr_r5": 1 - (8 * 7 * 6 * 5 * 4 + 7 * 6 * 5 * 4 * 3 + 5 * (9 * 8 * 7 * 6 * 5)) / 7 / (10 * 9 * 8 * 7 * 6),
    })  # fmt: skip


def test_false_images_of_a_step_are_false(ask):
    asked = ask("irtr", training=True)
    batch = asked.step(range(6)).batch
    rows = batch.collated["irtr"]["image"]
    assert rows[:, 0].tolist() == [*range(6)]
    assert all(len(set(one)) == len(one) for one in rows.tolist()), "no image twice"
    few = asked.step([3]).batch
    assert few.collated["irtr"]["image"].tolist() == [[0, 1, 2, 3]], "where the batch has none, from the data set"
