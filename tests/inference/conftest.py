"""Checkpoints of every kind of task, a few steps each, and the examples of their splits as pyarrow reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.training.conftest import Runner, pretrained, run, scenes_root

__all__ = ["pretrained", "run", "scenes_root"]

CAPTIONING: dict[str, Any] = {
    "caption_metric_images": 0,
    "num_samples": 0,
    "sample_interval": None,
    "max_generated_tokens": 8,
    "decoder_hidden_size": 32,
    "decoder_num_layers": 1,
    "max_epoch": None,
}


@pytest.fixture(scope="session")
def trained(scenes_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Gives the best checkpoint of a few steps of a task's named configuration with overrides, trained once."""
    known: dict[str, Path] = {}

    def train(task: str, **overrides: Any) -> Path:
        key = repr((task, sorted(overrides.items())))
        if key not in known:
            runner = Runner(scenes_root, tmp_path_factory.mktemp("trained"))
            own: dict[str, Any] = CAPTIONING if task == "task_foundation_captioning" else {}
            folder, _ = runner(task, "scenes", "tiny", max_steps=3, warmup_steps=0, **own, **overrides)
            known[key] = folder.best_checkpoint
        return known[key]

    return train


@pytest.fixture(scope="session")
def rows(pretrained: Callable[..., Path], scenes_root: Path) -> Callable[[str], list[dict[str, Any]]]:
    """Gives the rows of one of the scenes' tables, as pyarrow reads them."""
    pretrained()  # draws them

    def read(table: str) -> list[dict[str, Any]]:
        with pa.memory_map(str(scenes_root / f"{table}.arrow")) as file:
            found: list[dict[str, Any]] = pa.ipc.open_file(file).read_all().to_pylist()
        return found

    return read
