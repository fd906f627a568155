"""Runs with mixup, modality dropout or patch dropout: what is drawn has an address, so a resumed run draws the same."""

from __future__ import annotations

import csv

import pytest

from tests.training.interrupting import run_whole_and_broken, stop_at

SETTINGS = {"max_steps": 4, "warmup_steps": 0, "learning_rate": 1e-3, "log_interval": 1, "batch_size": 16}


@pytest.mark.parametrize(
    ("task", "off", "on"),
    [
        ("imdb", {"mixing_alpha": 0.0}, {"mixing_alpha": 0.5}),
        *(
            (task, {"text_modality_dropout": 0.0}, {"text_modality_dropout": 0.3, "image_modality_dropout": 0.3})
            for task in ("itm", "ref", "irtr")  # one pair an example, and several
        ),
        ("itm", {"patch_dropout": 0.0}, {"patch_dropout": 0.5}),
    ],
)
def test_a_resumed_run_draws_what_an_uninterrupted_one_does(run, task, off, on):
    named = ("task_itm" if task == "itm" else f"task_finetune_{task}", "scenes", "tiny")

    def rows(folder):
        return [tuple(row.values()) for row in csv.DictReader(folder.metrics.open(newline=""))]

    settings = {**SETTINGS, "max_text_len": 30}
    stop = stop_at(2, f"{task}/train/loss")
    whole, broken = run_whole_and_broken(run, *named, stop=stop, **settings, **on)
    plain, _ = run(*named, **settings, **off, exp_name="plain")
    assert rows(broken) == rows(whole) != rows(plain)
