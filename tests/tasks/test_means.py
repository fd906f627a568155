"""Metrics are means over items, however these were batched; a checkpoint carries half-counted ones."""

from __future__ import annotations

import numpy as np
import torch

from renaissance.tasks.common.means import Means


def test_the_last_small_batch_does_not_weigh_more():
    values = torch.randn(13)
    recorder = Means()
    for batch in values.split(5):
        recorder.add("mlm", "val", {"loss": batch})
    assert np.isclose(recorder.take("val")["mlm/val/loss"], values.mean().item())


def test_counting_starts_anew_and_splits_do_not_mix():
    recorder = Means()
    recorder.add("mlm", "train", {"loss": torch.tensor([1.0])})
    recorder.add("mlm", "val", {"loss": torch.tensor([3.0])})
    assert recorder.take("train") == {"mlm/train/loss": 1.0}
    assert recorder.take("train") == {}
    assert recorder.take("val") == {"mlm/val/loss": 3.0}


def test_a_metric_without_items_is_left_out_but_a_nan_is_shown():
    recorder = Means()
    recorder.add("mlm", "val", {"loss": torch.tensor([]), "accuracy": torch.tensor([float("nan")])})
    taken = recorder.take("val")
    assert "mlm/val/loss" not in taken
    assert np.isnan(taken["mlm/val/accuracy"])


def test_half_counted_metrics_survive_a_checkpoint():
    first, second = Means(), Means()
    first.add("itm", "train", {"accuracy": torch.tensor([1.0, 0.0, 0.0])})
    second.load_state(first.state())
    for recorder in (first, second):
        recorder.add("itm", "train", {"accuracy": torch.tensor([1.0])})
    assert first.take("train") == second.take("train") == {"itm/train/accuracy": 0.5}
