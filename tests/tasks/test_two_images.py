"""NLVR2: the statement is read with both images, each in its place."""

from __future__ import annotations

import pytest
import torch

from tests.tasks.conftest import picture, write_table


def write(root, first, second):
    write_table(
        root / "nlvr2_train.arrow",
        {
            "image_0": [picture(number) for number in first],
            "image_1": [picture(number) for number in second],
            "questions": [["the left one has more"], ["both are the same", "none is there"]],
            "answers": [["True"], ["False", "True"]],
        },
    )


@pytest.mark.parametrize("model_type", ["two-tower", "one-tower"])
@torch.no_grad()
def test_each_image_reaches_the_model_in_its_place(ask, tmp_path, model_type):
    def logits(first, second):
        write(tmp_path, first, second)
        asked = ask("nlvr2", root=tmp_path, model_type=model_type)
        return asked.task.logits(asked.step())

    given = logits([0, 1], [2, 3])
    for first, second in (([2, 3], [0, 1]), ([9, 9], [2, 3]), ([0, 1], [9, 9])):
        assert (logits(first, second) - given).abs().amax(dim=1).min() > 1e-5, (first, second)


@torch.no_grad()
def test_together_and_alone_give_the_same(ask, tmp_path):
    write(tmp_path, [0, 1], [2, 3])
    asked = ask("nlvr2", root=tmp_path)
    step = asked.step()
    alone = [asked.task.logits(asked.step([number])) for number in range(3)]
    torch.testing.assert_close(asked.task.logits(step), torch.cat(alone))
    assert step.batch.collated["nlvr2"]["target"].tolist() == [1, 0, 1]
    second = step.batch.collated["nlvr2"]["second"]
    assert second[1] == second[2], "two statements share their images"
    assert len(step.batch.pixels) == 5
