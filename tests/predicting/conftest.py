"""A classifier of texts and one of images, trained for a few steps, and a way to have them predict files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config import ex
from renaissance.predicting.predict import predict
from renaissance.settings import check_settings
from tests.inference.conftest import pretrained, rows, run, scenes_root, trained

__all__ = ["pretrained", "rows", "run", "scenes_root", "trained"]

Predict = Callable[..., Path]


@pytest.fixture(autouse=True)
def field_size_limit() -> Iterator[None]:
    """The command raises Python's limit for its whole process; other tests are to find it as it was."""
    before = csv.field_size_limit()
    yield
    csv.field_size_limit(before)


@pytest.fixture
def predicted(tmp_path: Path) -> Predict:
    """Runs the command with settings; gives the output."""

    def work(checkpoint: Path, source: Path, name: str = "answers.csv", **settings: Any) -> Path:
        given = {"load_path": str(checkpoint), "input": str(source), "output": str(tmp_path / name)}
        fixed = {"num_workers": 0, "num_gpus": 0, "eval_batch_size": 4}
        return predict(check_settings({**ex.configurations[0](), **fixed, **given, **settings}, "predict"))

    return work
