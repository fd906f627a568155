"""What a run says of its pace and of its plan."""

from __future__ import annotations

import pytest

from renaissance.checkpoints.checkpoint import Spent
from renaissance.tracking.summary import PartFigures, parts_table
from renaissance.tracking.trackers.progress import Progress
from renaissance.training.callbacks import progress
from renaissance.training.callbacks.progress import ProgressBars, Throughput, duration
from renaissance.training.plan import Plan
from renaissance.training.report import plan_in_words
from tests.tracking.started import run_start

PLAN = Plan(
    device_batch=16,
    accumulate=1,
    world_size=1,
    epoch_batches=31,
    total_steps=100,
    validate_every=31,
    warmup_steps=0,
    schedule_steps=100,
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (150, "2 min"), (3599, "1 h 0 min"), (4800, "1 h 20 min"),
        (86_400, "1 d 0 h"), (187_200, "2 d 4 h"),
    ],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds, words):
    assert duration(seconds) == words


def test_a_line_of_training_tells_pace_and_time_left(monkeypatch, capsys, tmp_path):
    throughput = Throughput(PLAN, started=0.0, before=Spent())
    throughput.seconds, throughput.batches = 2.0, 133  # 16 × 133 / 2 = 1,064 examples a second
    shown = Progress()
    shown.start(run_start(tmp_path, total_steps=100, terminal=ProgressBars(PLAN, throughput)))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: 50.0)  # since step 0, at 0.0: 50 s for 25 steps
    shown.log(25, 0.8, {"itm/train/loss": 0.7})
    said = capsys.readouterr().out
    assert said == "step 25/100  epoch 0.8  train  itm loss 0.7  (1,064 examples/s, 2 min left)\n"
    shown.log(100, 3.2, {"itm/train/loss": 0.7})
    assert "(1,064 examples/s)" in capsys.readouterr().out
    shown.log(100, 3.2, {"itm/testA/loss": 0.7})
    assert capsys.readouterr().out == "step 100/100  epoch 3.2  testA  itm loss 0.7\n"


def test_a_plan_names_only_validations_that_come():
    assert "validation every 31 steps and at the end" in plan_in_words(PLAN, validates=True)
    short = Plan(**{**PLAN.__dict__, "total_steps": 15})
    assert plan_in_words(short, validates=True).endswith("validation at the end")
    assert plan_in_words(short, validates=False).endswith("no validation data")


def test_the_last_table_keeps_the_full_rates():
    parts = [PartFigures("fuser", 10, 10, 2e-3, "random"), PartFigures("image_encoder", 10, 0, None, "a.ckpt")]
    first, last = parts_table(parts), parts_table(parts, last_factor=0.01)
    assert "0.002" in first
    assert "at the last step" not in first
    assert last.splitlines()[2].split() == ["fuser", "10", "10", "0.002", "2e-05", "random"]
    assert last.splitlines()[3].split()[-3:] == ["–", "–", "a.ckpt"]
