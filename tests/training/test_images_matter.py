"""The downstream tasks' scenes cannot be answered from the texts alone: on held-out data, a model needs its images.

Some five minutes of an idle CPU, most of them for the pretraining, which the tasks share.
"""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from tests.training.conftest import Runner

SCENES = {"num_scenes": 6000, "image_size": 48, "max_text_len": 48}
TRAINING = {"batch_size": 32, "per_gpu_batchsize": 32, "eval_batch_size": 128, "warmup_steps": 0.1, "max_epoch": None,
            "learning_rate": 5e-4, "lr_mult_head": 2, "lr_mult_cross_modal": 1, "gradient_clip_val": 1.0}  # fmt: skip


def grey(data: bytes) -> bytes:
    """A grey picture of the same size."""
    file = io.BytesIO()
    Image.new("RGB", Image.open(io.BytesIO(data)).size, (128, 128, 128)).save(file, "PNG")
    return file.getvalue()


def blank(data_root: Path, blank_root: Path, task: str, split: str) -> None:
    """Write a split of a task's scenes as the split to test on, with grey pictures."""
    blank_root.mkdir()
    with pa.memory_map(str(data_root / f"scenes_{task}_{split}.arrow")) as file:
        table = pa.ipc.open_file(file).read_all()
    for place, field in enumerate(table.schema):
        if pa.types.is_binary(field.type):
            table = table.set_column(place, field, pa.array([grey(value.as_py()) for value in table[field.name]]))
    for path in data_root.glob(f"scenes_{task}_*.arrow"):
        with pa.OSFile(str(blank_root / path.name), "wb") as out, pa.ipc.new_file(out, table.schema) as writer:
            writer.write_table(table)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A runner on the scenes, and a small model that was pretrained on their captions by MLM + ITM."""
    tmp = tmp_path_factory.mktemp("images")
    run = Runner(tmp / "arrow", tmp / "result")
    folder, final = run("quickstart", num_scenes=SCENES["num_scenes"])
    assert final["itm/val/accuracy"] > 0.9
    return run, folder.best_checkpoint


@pytest.mark.long
@pytest.mark.parametrize(
    ("task", "split", "metric", "steps", "chance", "better"),
    [
        ("snli", "test", "accuracy", 500, 1 / 3, 0.1),
        ("ref", "testA", "accuracy", 150, 13 / 36, 0.1),  # the mean of 1/2, 1/3 and 1/4, as there are boxes
        ("vqa", "val", "score", 400, 0.35, 0.04),  # of the likeliest answer to each form of question
        ("nlvr2", "test1", "accuracy", 300, 0.5, 0.08),
    ],
)
def test_a_model_needs_its_images(begun, tmp_path, task, split, metric, steps, chance, better):
    run, pretrained = begun
    folder, final = run(
        f"task_finetune_{task}", load_path=str(pretrained), datasets=["scenes"], max_steps=steps,
        val_check_interval=250, **SCENES, **TRAINING,
    )  # fmt: skip
    blank(run.data_root, tmp_path / "blank", task, split)
    _, blind = Runner(tmp_path / "blank", tmp_path / "result")(
        f"task_finetune_{task}", load_path=str(folder.best_checkpoint), test_only=True, datasets=["scenes"], **SCENES
    )
    (found,) = {value for name, value in blind.items() if name.endswith(metric)}
    assert found < chance + 0.05
    assert final[f"{task}/{split}/{metric}"] > found + better
