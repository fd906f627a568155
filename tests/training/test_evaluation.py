"""Validation and test ask the same questions of every model: whatever the seed, the batches and the workers."""

from __future__ import annotations

import csv

import pytest

TESTED = {"test_only": True, "num_samples": 6}


@pytest.mark.parametrize("pairs", [{}, {"draw_false_image": 1, "draw_false_text": 1}])
def test_the_questions_depend_on_neither_seed_nor_batches(run, pretrained, pairs):
    def ask(**settings):
        return run("task_mlm_itm", "scenes", load_path=str(pretrained()), **TESTED, **pairs, **settings)[1]

    answers = ask(seed=0, eval_batch_size=32)
    assert {name.split("/")[0] for name in answers} == {"mlm", "itm"}
    assert ask(seed=1, eval_batch_size=32) == answers
    for settings in ({"eval_batch_size": 7}, {"eval_batch_size": 5, "num_workers": 2}):
        assert ask(seed=2, **settings) == pytest.approx(answers, rel=1e-5), settings
    assert ask(seed=0, eval_seed=1) != answers


def test_sampled_captions_do_not_depend_on_the_seed(run):
    trained, _ = run("task_foundation_captioning", "scenes", "tiny", max_steps=2, warmup_steps=0, num_samples=0,
                     caption_metric_images=4)  # fmt: skip

    def write(**settings):
        given = {**TESTED, "load_path": str(trained.best_checkpoint), "max_generated_tokens": 8, **settings}
        folder, final = run("task_foundation_captioning", "scenes", "tiny", generation_strategy="sample", **given)
        with (folder.samples / "test.csv").open(newline="") as file:
            return [row["generated"] for row in csv.DictReader(file)], final

    texts, final = write(seed=0)
    assert write(seed=1) == (texts, final)
    assert write(seed=0, eval_seed=1)[0] != texts
