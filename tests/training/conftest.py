"""Small scenes and small runs on them, shared by the tests of training."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config import ex
from renaissance.settings import Settings, check_settings
from renaissance.settings.chosen import Chosen
from renaissance.tracking.run_folder import RunFolder
from renaissance.tracking.trackers.interface import LogScalar
from renaissance.training.run import run_experiment
from tests.training.pictures import blank_pictures


@dataclass
class Runner:
    """Runs experiments on small scenes as the command line does, without Sacred around them.

    With `draws` their curves are drawn; else the pictures are blank.
    """

    data_root: Path
    log_dir: Path
    draws: bool = False

    def __call__(
        self,
        *named: str,
        log_scalar: LogScalar = lambda name, value, step: None,
        chosen: Collection[str] | None = None,
        **overrides: Any,
    ) -> tuple[RunFolder, dict[str, float]]:
        """Run named configurations with overrides; gives the run's folder and its final metrics.

        `chosen` are the settings that count as the user's: by default all that are given here.
        """
        given = {**self._fixed(), **overrides}
        settings = self.settings(*named, **overrides)
        users = Chosen({name: frozenset(ex.named_configs[name]()) for name in named}, given)
        if chosen is not None:
            users = Chosen({}, {name: given[name] for name in chosen})
        with nullcontext() if self.draws else blank_pictures():
            final = run_experiment(settings, users, log_scalar, command_line=["run.py", *named])
        return self.folder(settings.exp_name), final

    def settings(self, *named: str, **overrides: Any) -> Settings:
        """The settings of such a run."""
        values: dict[str, Any] = dict(ex.configurations[0]())
        for name in named:
            values.update(ex.named_configs[name](preset=values))
        return check_settings({**values, **self._fixed(), **overrides}, "train")

    def _fixed(self) -> dict[str, Any]:
        return {
            "data_root": str(self.data_root),
            "log_dir": str(self.log_dir),
            "num_scenes": 120,
            "num_workers": 0,
            "num_gpus": 0,
        }

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
