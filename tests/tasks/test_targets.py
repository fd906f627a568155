"""Answers on their way from a table to a loss: what does not go together is named, not shifted to another example."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from PIL import Image

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.fetch import Fetch
from renaissance.data.examples.listed import ListExamples
from renaissance.data.examples.schema import DataNeeds
from renaissance.errors import UserError
from renaissance.tasks.behaviours.question_answering import AnswerScores
from renaissance.tasks.behaviours.referring_expressions import NO_BOX, Boxes
from renaissance.tasks.common.targets import UNKNOWN, ClassTargets
from renaissance.tasks.ref import BOXES
from renaissance.tasks.vqa import QUESTIONS


def collated(collate: Any, needs: DataNeeds, *examples: dict[str, Any]) -> dict[str, torch.Tensor]:
    """What a collate makes of a batch of examples."""
    index = torch.arange(len(examples))
    found: dict[str, torch.Tensor] = collate(Batch(index), Fetch(ListExamples(examples, needs), len(examples)), [])
    return found


def question(answers: list[int], scores: list[float]) -> dict[str, Any]:
    return {"text": "?", "answers": answers, "scores": scores}


def test_answers_stay_with_their_question_and_their_score() -> None:
    needs = DataNeeds(QUESTIONS, image=True, text=True)
    found = collated(AnswerScores(), needs, question([3, 1], [1.0, 0.5]), question([], []), question([2], [0.25]))
    assert found["row"].tolist() == [0, 0, 2]
    assert found["answer"].tolist() == [3, 1, 2]
    assert found["score"].tolist() == [1.0, 0.5, 0.25]
    assert found["known"].tolist() == [True, False, True]


def test_as_many_scores_as_answers_in_all_are_not_enough() -> None:
    """Two questions whose lists together are of one length would get each other's scores."""
    needs = DataNeeds(QUESTIONS, image=True, text=True)
    with pytest.raises(UserError, match=r"example 0: a question has 2 answers and 1 scores"):
        collated(AnswerScores(), needs, question([3, 1], [1.0]), question([2], [0.25, 0.5]))


def phrase(boxes: list[list[float]], label: int | None) -> dict[str, Any]:
    file = io.BytesIO()
    Image.new("RGB", (40, 20)).save(file, "PNG")
    return {"text": "it", "image": file.getvalue(), "boxes": boxes, "label": label}


def test_boxes_are_those_of_the_example_and_places_without_one_are_marked() -> None:
    needs = DataNeeds(BOXES, image=True, text=True)
    found = collated(Boxes(), needs, phrase([[10, 5, 20, 10]], None), phrase([[0, 0, 40, 20], [0, 0, 10, 20]], 1))
    assert found["box"].tolist() == [[2, NO_BOX], [3, 4]]
    assert found["target"].tolist() == [UNKNOWN, 1]
    assert found["geometry"][0, 0].tolist() == [0.25, 0.25, 0.75, 0.75, 0.25]
    wrong: list[tuple[list[list[float]], int | None]] = [([[0, 0, 1, 1]], 1), ([], 0), ([], None)]
    for boxes, label in wrong:
        with pytest.raises(UserError, match=rf"example 1: a phrase means box {label}.* there are {len(boxes)}"):
            collated(Boxes(), needs, phrase([[0.0, 0.0, 1.0, 1.0]] * 3, 0), phrase(boxes, label))


def test_a_class_that_is_not_known_is_marked() -> None:
    needs = DataNeeds(BOXES, image=False, text=True)
    assert collated(ClassTargets(), needs, {"label": 2}, {"label": None}, {})["target"].tolist() == [
        2,
        UNKNOWN,
        UNKNOWN,
    ]
