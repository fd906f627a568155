"""VQA: soft targets and scores by hand, ragged answers, questions without any."""

from __future__ import annotations

import pytest
import torch

from renaissance.errors import UserError
from renaissance.tasks.common.evaluation import Split
from tests.tasks.conftest import picture, write_table

CLASSES = ["red", "green", "one", "yes"]
ANSWERS = [[0], [1, 3], [], [2, 0, 1]]  # of two images, with three questions and with one
SCORES = [[1.0], [0.9, 0.3], [], [0.6, 0.3, 0.3]]


def write(root, answers=ANSWERS, scores=SCORES, **more):
    columns = {
        "image": [picture(0), picture(1)],
        "questions": [["what colour", "is it there", "who knows"], ["how many things are there"]],
        "answer_labels": [answers[:3], answers[3:]],
        "answer_scores": [scores[:3], scores[3:]],
        "question_id": [[11, 12, 13], [21]],
        **more,
    }
    write_table(root / "vqa_train.arrow", columns, CLASSES)


@torch.no_grad()
def test_the_loss_and_the_score_by_hand(ask, tmp_path):
    write(tmp_path)
    asked = ask("vqa", root=tmp_path)
    step = asked.step()
    logits = asked.task.logits(step)
    values = asked.task(step).values
    known = [0, 1, 3]  # the third question has no answer
    for value, score, number in zip(values["loss"], values["score"], known, strict=True):
        wanted = [dict(zip(ANSWERS[number], SCORES[number], strict=True)).get(answer, 0.0) for answer in range(4)]
        chances = logits[number].sigmoid()
        by_hand = sum(-(w * p.log() + (1 - w) * (1 - p).log()) for w, p in zip(wanted, chances, strict=True))
        assert float(value) == pytest.approx(float(by_hand), rel=1e-4)
        assert float(score) == pytest.approx(wanted[int(logits[number].argmax())])
    assert asked.task.items(step.batch) == 3


@torch.no_grad()
def test_questions_alone_and_together_give_the_same(ask, tmp_path):
    write(tmp_path)
    asked = ask("vqa", root=tmp_path)
    together = asked.task(asked.step()).values
    alone = [asked.task(asked.step([number])).values for number in range(4)]
    for name, values in together.items():
        torch.testing.assert_close(values, torch.cat([one[name] for one in alone]))


@torch.no_grad()
def test_a_split_without_answers_has_predictions_and_no_metrics(ask, tmp_path):
    write(tmp_path, answers=[[]] * 4, scores=[[]] * 4)
    asked = ask("vqa", root=tmp_path)
    evaluation = asked.task.evaluation(Split("test", asked.examples, tested=True))
    for indices in ([0, 1, 2], [3]):
        step = asked.step(indices)
        evaluation.update(step, asked.task(step))
    assert evaluation.compute() == {}
    rows = evaluation.predictions()
    assert [row["id"] for row in rows] == ["11", "12", "13", "21"]
    answers = asked.task.logits(asked.step()).argmax(-1).tolist()
    assert [row["answer"] for row in rows] == [CLASSES[answer] for answer in answers]


def test_other_numbers_of_answers_and_scores_are_refused(ask, tmp_path):
    """Two faults that cancel each other out in a batch."""
    write(tmp_path, scores=[[1.0, 0.9], [0.3], [], [0.6, 0.3, 0.3]])
    with pytest.raises(UserError, match=r"vqa_train.arrow, row 0: a question has 1 answers and 2 scores"):
        ask("vqa", root=tmp_path).step()


def test_a_list_of_answers_that_is_shorter_than_that_of_questions_is_refused(ask, tmp_path):
    write(tmp_path, answer_labels=[ANSWERS[:2], ANSWERS[3:]])
    with pytest.raises(UserError, match=r"row 0 has 2 values in 'answer_labels' and 3 texts"):
        ask("vqa", root=tmp_path).step()
