"""TensorBoard's logs, read with TensorBoard's own reader: settings, metrics, curves and sample sheets."""

from __future__ import annotations

import csv
import io

import pytest
from PIL import Image, ImageChops
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from renaissance.errors import Interrupted
from tests.training.interrupting import stop_at

SETTINGS = {"tensorboard": True, "max_steps": 4, "warmup_steps": 0, "val_check_interval": 2, "log_interval": 1,
            "batch_size": 8, "per_gpu_batchsize": 8, "caption_metric_images": 0, "num_samples": 2,
            "sample_interval": None}  # fmt: skip


def read(folder):
    """The whole log of a run."""
    log = EventAccumulator(str(folder.tensorboard), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    return log.Reload()


def scalars(log):
    return sorted((event.step, tag, pytest.approx(event.value, rel=1e-6)) for tag in log.Tags()["scalars"]
                  for event in log.Scalars(tag))  # fmt: skip


def rows(folder):
    with folder.metrics.open(newline="") as file:
        points = [(int(row["step"]), row["name"], float(row["value"])) for row in csv.DictReader(file)]
    names = ("learning_rate", "gradient_norm", "examples_per_second")
    with folder.pace.open(newline="") as file:
        points += [(int(row["step"]), f"pace/{name}", float(row[name]))
                   for row in csv.DictReader(file) for name in names if row[name]]  # fmt: skip
    return sorted(points)


def text(log, name):
    return log.Tensors(f"{name}/text_summary")[-1].tensor_proto.string_val[0].decode()


def test_the_log_has_settings_metrics_curves_and_sheets(run):
    folder, _ = run("task_foundation_captioning", "scenes", **SETTINGS)
    log = read(folder)
    assert rows(folder) == scalars(log)
    assert "| learning_rate |" in text(log, "settings")
    assert '| exp_name | "' in text(log, "settings")
    assert text(log, "status") == "finished"
    tags = log.Tags()["images"]
    assert {"curves/caption_loss", "samples/val", "samples/test"} <= set(tags)
    assert [event.step for event in log.Images("samples/val")] == [2, 4]
    files = {tag: folder.plots / f"{tag.partition('/')[2]}.png" for tag in tags if tag.startswith("curves/")}
    for tag, path in {**files, "samples/test": folder.samples / "test.png"}.items():
        shown = Image.open(io.BytesIO(log.Images(tag)[-1].encoded_image_string))
        assert ImageChops.difference(shown, Image.open(path).convert("RGB")).getbbox() is None, tag


def test_a_resumed_run_has_every_point_once(run):
    settings = {**SETTINGS, "num_samples": 0, "val_check_interval": 2}
    with pytest.raises(Interrupted):
        run("task_itm", "scenes", "tiny", **settings, exp_name="a", log_scalar=stop_at(3, "itm/train/loss"))
    folder, _ = run("task_itm", "scenes", "tiny", **settings, exp_name="a", resume_from="auto")
    assert rows(folder) == scalars(read(folder))


def test_what_came_behind_the_checkpoint_is_void(run, tmp_path):
    from renaissance.tracking.trackers.tensorboard import TensorBoard
    from tests.tracking.started import run_start

    for start, steps in ((run_start(tmp_path), (1, 2, 3)), (run_start(tmp_path, resumed_step=2), (3, 4))):
        tracker = TensorBoard()
        tracker.start(start)
        for step in steps:
            tracker.log(step, 0.1, {"itm/train/loss": float(step)})
        tracker.finish({"status": "interrupted", "steps": steps[-1]})
    log = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in log.Scalars("itm/train/loss")] == [1, 2, 3, 4]
