"""What tasks say of a batch is what they are scored by: answers agree with the losses, drawn questions included."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from renaissance.data.batches.collate import BatchMaker
from renaissance.data.examples.tables import open_split
from renaissance.data.images.pixels import Pixels
from renaissance.data.images.transform import ImageStatistics, ImageTransform
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.tasks.behaviours import load_behaviour
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Task, TaskContext
from renaissance.tasks.registry import declaration_of
from tests.tasks.conftest import EXAMPLES, TINY

STATISTICS = ImageStatistics.of_key("imagenet")


@pytest.fixture
def asked(make_settings, data_root):
    """Gives a task with random weights, and the step of an evaluation of it over all sixteen examples."""

    def make(name, **overrides):
        data_set = name if name in ("cifar10", "imdb") else "sixteen"
        settings = make_settings(
            **TINY, data_root=str(data_root), datasets=[data_set], loss_names={name: 1}, **overrides
        )
        declaration = declaration_of(name)
        behaviour, needs = load_behaviour(declaration), declaration.needs
        examples = open_split(settings, needs, "train")
        text = TextProcessor.from_settings(settings, lambda: examples.texts()) if needs.text else None
        torch.manual_seed(0)
        sides = behaviour.sides(declaration, settings)
        model = build_model(settings, vocab_size=text.vocab_size if text else 0, pad_id=text.pad_id if text else 0,
                            image=sides.image, text=sides.text, fused=sides.fused).eval()  # fmt: skip
        task = behaviour(TaskContext(declaration, settings, model, text, examples.class_names)).eval()
        collate = behaviour.collate(declaration, settings, text, training=False)
        transform = ImageTransform.of_settings(settings, STATISTICS, training=False, captioned=True)
        maker = BatchMaker(examples, transform, text, {name: collate} if collate else {}, seed=3, training=False)
        return task, Step(model, maker.make([*range(EXAMPLES)]), Pixels(STATISTICS, 9) if needs.image else None)

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
