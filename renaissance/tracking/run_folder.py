"""The folder of a run, `<log_dir>/<exp_name>/<n>/`: where everything in it lies, and which folder is a run's.

config.json          the resolved settings; `python run.py with <folder>/config.json` repeats the run
command.json         the command that made it, when, where, and with which versions
loaded.csv           what became of every tensor of the checkpoints that the run started from
metrics.csv          step,epoch,name,value
summary.json         final and best metrics, speed, memory, parameters; `status` says how it ended
checkpoints/         last.ckpt, best.ckpt
plots/               a curve per metric
samples/             sheets of what the model generated, where a task generates
tensorboard/         when asked for
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from renaissance.errors import UserError


@dataclass(frozen=True)
class RunFolder:
    """The files of a run."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    @property
    def command(self) -> Path:
        return self.path / "command.json"

    @property
    def loaded(self) -> Path:
        return self.path / "loaded.csv"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def last_checkpoint(self) -> Path:
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best_checkpoint(self) -> Path:
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def plots(self) -> Path:
        return self.path / "plots"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        try:
            return bool(json.loads(self.summary.read_text())["status"] == "finished")
        except (OSError, ValueError, KeyError, TypeError):
            return False


def new_run_folder(log_dir: str, exp_name: str) -> RunFolder:
    """Make the next free folder of an experiment; two runs that start at once get two.

    Raises:
        UserError: if no folder can be made there.
    """
    parent = Path(log_dir) / exp_name
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"log_dir={log_dir}: no folder for runs can be made there ({error.strerror}).") from error
    number = max(_numbers(parent), default=0) + 1
    while True:
        try:
            (parent / str(number)).mkdir()
            return RunFolder(parent / str(number))
        except FileExistsError:
            number += 1


def newest_unfinished(log_dir: str, exp_name: str) -> RunFolder | None:
    """The newest run of an experiment that did not come to its end and has a checkpoint to go on from."""
    parent = Path(log_dir) / exp_name
    for number in sorted(_numbers(parent), reverse=True):
        folder = RunFolder(parent / str(number))
        if not folder.finished and folder.last_checkpoint.is_file():
            return folder
    return None


def unfinished_run_of(checkpoint: Path) -> RunFolder | None:
    """The run that a `last.ckpt` belongs to, when that run is unfinished."""
    folder = RunFolder(checkpoint.resolve().parent.parent)
    is_its_last = folder.last_checkpoint.resolve() == checkpoint.resolve()
    return folder if is_its_last and folder.config.is_file() and not folder.finished else None


def _numbers(parent: Path) -> list[int]:
    if not parent.is_dir():
        return []
    return [int(path.name) for path in parent.iterdir() if path.is_dir() and path.name.isdecimal()]
