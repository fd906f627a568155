"""What tasks say of a batch is what they are scored by: answers agree with the losses, drawn questions included."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from renaissance.data.images.transform import ImageStatistics
from renaissance.errors import UserError
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Task
from tests.tasks.conftest import EXAMPLES

STATISTICS = ImageStatistics.of_key("imagenet")


@pytest.fixture
def asked(ask):
    """Gives a task with random weights, and the step of an evaluation of it over all sixteen examples."""

    def make(name, **overrides):
        given = ask(name, **overrides)
        return given.task, given.step()

    return make


@pytest.mark.parametrize("name", ["cifar10", "imdb"])
@torch.no_grad()
def test_a_classs_probability_is_the_losss(asked, name):
    task, step = asked(name)
    losses = task(step).values["loss"].tolist()
    answers = task.answers(Step(step.model, replace(step.batch, collated={}), step._to_pixels))
    for answer, loss, label in zip(answers, losses, step.batch.collated[name]["target"].tolist(), strict=True):
        assert -math.log(answer["probabilities"][task.class_names[label]]) == pytest.approx(loss, abs=1e-5)
        assert answer["answer"] == max(answer["probabilities"], key=answer["probabilities"].get)


@torch.no_grad()
def test_a_match_is_that_of_the_pair_that_was_drawn(asked):
    task, step = asked("itm", draw_false_image=1, draw_false_text=1)
    drawn = step.batch.collated["itm"]
    assert 0 < drawn["label"].sum() < EXAMPLES
    losses = task(step).values["loss"].tolist()
    for answer, label, loss in zip(task.answers(step), drawn["label"].tolist(), losses, strict=True):
        assert -math.log(answer["match"] if label else 1 - answer["match"]) == pytest.approx(loss, abs=1e-5)


@torch.no_grad()
def test_the_words_are_those_of_the_tokens_that_were_hidden(asked):
    task, step = asked("mlm", mlm_prob=0.4)
    drawn = step.batch.collated["mlm"]
    losses = iter(task(step).values["loss"].tolist())
    del drawn["target"]  # is not looked at
    answers = task.answers(step)
    assert len(answers) == EXAMPLES
    hidden = torch.bincount(drawn["row"], minlength=EXAMPLES).tolist()
    assert [len(answer["words"]) for answer in answers] == hidden
    texts = [task.text.decode(ids) for ids in step.batch.tokens.ids.tolist()]
    right = 0
    for row, answer in enumerate(answers):
        columns = drawn["column"][drawn["row"] == row].tolist()
        for column, words in zip(columns, answer["words"], strict=True):
            loss = next(losses)
            chances = {word["word"]: word["probability"] for word in words}
            word = texts[row].split()[column - 1]
            if word in chances:
                right += 1
                assert -math.log(chances[word]) == pytest.approx(loss, abs=1e-5)
            filled = answer["text"].split()[column - 1]
            assert filled == words[0]["word"]
    masked = replace(
        step.batch,
        tokens=step.batch.tokens.with_ids(
            step.batch.tokens.ids.index_put((drawn["row"], drawn["column"]), drawn["replacement"])
        ),
    )
    assert task.answers(Step(step.model, masked, step._to_pixels)) == answers, "hidden words are not seen"
    assert right > 3, "some of the hidden words are among the five likeliest of seventeen"


def test_a_task_without_answers_says_so(asked):
    task, step = asked("cifar10")
    with pytest.raises(UserError, match="cifar10 does not say what it finds of an example"):
        Task.answers(task, step)
