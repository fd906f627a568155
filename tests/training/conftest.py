"""Small scenes and small runs on them, shared by the tests of training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config import ex
from renaissance.settings import check_settings
from renaissance.tracking.run_folder import RunFolder
from renaissance.training.run import run_experiment
from renaissance.training.session import LogScalar


@dataclass
class Runner:
    """Runs experiments on small scenes as the command line does, without Sacred around them."""

    data_root: Path
    log_dir: Path

    def __call__(
        self, *named: str, log_scalar: LogScalar = lambda name, value, step: None, **overrides: Any
    ) -> tuple[RunFolder, dict[str, float]]:
        """Run named configurations with overrides; gives the run's folder and its final metrics."""
        values: dict[str, Any] = dict(ex.configurations[0]())
        chosen = set(overrides)
        for name in named:
            update = ex.named_configs[name](preset=values)
            chosen.update(ex.named_configs[name]())
            values.update(update)
        fixed = {
            "data_root": str(self.data_root),
            "log_dir": str(self.log_dir),
            "num_scenes": 120,
            "num_workers": 0,
            "num_gpus": 0,
        }
        settings = check_settings({**values, **fixed, **overrides}, "train")
        final = run_experiment(settings, frozenset(chosen), log_scalar, command_line=["run.py", *named])
        return self.folder(settings.exp_name), final

    def folder(self, exp_name: str) -> RunFolder:
        """The newest run of an experiment, however it ended."""
        return RunFolder(max((self.log_dir / exp_name).iterdir(), key=lambda path: int(path.name)))


@pytest.fixture(scope="session")
def scenes_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the small scenes lie; the first run draws them."""
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture
def run(scenes_root: Path, tmp_path: Path) -> Runner:
    """Runs experiments into a folder of the test's own."""
    return Runner(scenes_root, tmp_path / "result")


@pytest.fixture(scope="session")
def pretrained(scenes_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Gives the best checkpoint of a few steps of MLM + ITM with a model's named configurations, trained once."""
    known: dict[tuple[str, ...], Path] = {}

    def train(*model: str) -> Path:
        if model not in known:
            run = Runner(scenes_root, tmp_path_factory.mktemp("pretrained"))
            folder, _ = run("task_mlm_itm", "scenes", "tiny", *model, max_steps=3, warmup_steps=0)
            known[model] = folder.best_checkpoint
        return known[model]

    return train
