"""The folder of a run, `<log_dir>/<exp_name>/<n>/`: where everything in it lies, and which folder is a run's.

config.json          the resolved settings as the run began; `python run.py with <folder>/config.json` repeats it
command.json         the command that began it, when, where, and with which versions; the same of each resume
vocabulary.json      token → number; can be another run's vocab_file
tokenizer.json       the whole tokenizer, as the tokenizers library saves it; can be one too
plugins/             the source of the plug-ins as they were imported
loaded.csv           what became of every tensor of the checkpoints that the run started from
metrics.csv          step,epoch,name,value
pace.csv             examples, working seconds, learning rate, gradient norm and speed at each point of the training
chance.json          what guessing would reach, by metric, where that is known
summary.json         final and best metrics, speed, memory, parameters; `status` says how it ended
checkpoints/         last.ckpt, best.ckpt, and step_<n>.ckpt when asked for; shards of each in <name>.shards/
plots/               a curve per metric
attributions/        which patches and words answers rest on, when asked for; sheets of it are among the plots
predictions/         what the model answered on each split that was tested, a line an example
samples/             sheets of what the model generated, where a task generates
tensorboard/         when asked for
wandb/               when asked for; what is not sent yet, too
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from renaissance.atomic_files import whole_file
from renaissance.errors import UserError
from renaissance.locks import AlreadyHeld, held, is_held

GIVEN_FOLDER = "RENAISSANCE_GIVEN_FOLDER"  # says, in the environment, which folder a run of a set has


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
    def vocabulary(self) -> Path:
        return self.path / "vocabulary.json"

    @property
    def tokenizer(self) -> Path:
        return self.path / "tokenizer.json"

    @property
    def loaded(self) -> Path:
        return self.path / "loaded.csv"

    @property
    def plugins(self) -> Path:
        return self.path / "plugins"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def pace(self) -> Path:
        return self.path / "pace.csv"

    @property
    def chance(self) -> Path:
        return self.path / "chance.json"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def last_checkpoint(self) -> Path:
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best_checkpoint(self) -> Path:
        return self.path / "checkpoints" / "best.ckpt"

    def step_checkpoint(self, step: int) -> Path:
        """The checkpoint that is kept of an optimiser step on the way."""
        return self.path / "checkpoints" / f"step_{step}.ckpt"

    @property
    def plots(self) -> Path:
        return self.path / "plots"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def attributions(self) -> Path:
        return self.path / "attributions"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions"

    def write_predictions(self, task: str, split: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write what a task answers on a split to `predictions/<task>_<split>.jsonl`, a line an example.

        Raises:
            DiskFull: there is no room for it.
        """
        path = self.predictions / f"{task}_{split}.jsonl"
        with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def mark(self) -> Path:
        """Locked while a process is at work on the run."""
        return self.path / ".alive"

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        try:
            return bool(json.loads(self.summary.read_text())["status"] == "finished")
        except (OSError, ValueError, KeyError, TypeError):
            return False


def given_folder() -> RunFolder | None:
    """The folder that this process's run was given by who started it; None where it takes the next number."""
    given = os.environ.get(GIVEN_FOLDER)
    return RunFolder(Path(given)) if given else None


def new_run_folder(log_dir: str, exp_name: str) -> RunFolder:
    """Make the next free folder of an experiment; two runs that start at once get two.

    Raises:
        UserError: if no folder can be made there.
    """
    return RunFolder(new_numbered_folder(Path(log_dir) / exp_name, f"log_dir={log_dir}"))


def new_numbered_folder(parent: Path, given: str) -> Path:
    """Make the next free numbered folder of `parent`.

    Args:
        parent: made where it is missing.
        given: the setting that says where, for the message.

    Raises:
        UserError: if no folder can be made there.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        number = max(_numbers(parent), default=0) + 1
        while not _made(parent / str(number)):
            number += 1
    except OSError as error:
        raise UserError(f"{given}: no folder can be made there ({error.strerror}).") from error
    return parent / str(number)


def check_writable(folder: Path, given: str) -> None:
    """See, before long work, that a folder could be made or written to; nothing is made yet.

    Args:
        folder: may be missing.
        given: the setting that says where, for the message.

    Raises:
        UserError: if it could not.
    """
    there = next(one for one in (folder, *folder.absolute().parents) if os.path.exists(one))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "cannot be written to" if there.is_dir() else "is no folder"
        raise UserError(f"{given}: no folder can be made there ({there} {why}).")


def _made(folder: Path) -> bool:
    """Make a folder; False where another process was faster."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


@contextmanager
def at_work_in(folder: RunFolder) -> Iterator[None]:
    """Mark a run as alive while the block runs; the mark is a lock, so it ends however the process does.

    Raises:
        UserError: another process is at work in this folder.
    """
    try:
        with held(folder.mark):
            try:
                yield
            finally:
                folder.mark.unlink(missing_ok=True)
    except AlreadyHeld:
        raise UserError(
            f"{folder.path}: another process is training this run. Wait for it to end, or stop it, and then resume."
        ) from None


def is_alive(folder: RunFolder) -> bool:
    """Whether a process is at work on a run."""
    return is_held(folder.mark)


def newest_unfinished(log_dir: str, exp_name: str, alive_too: bool = False) -> RunFolder | None:
    """The newest run of an experiment that did not come to its end and has a checkpoint to go on from.

    A run of a set looks at the folder that it was given alone.

    Args:
        log_dir: where runs lie.
        exp_name: the experiment.
        alive_too: count runs that a process is still at work on; for the other processes of a run on many devices,
            whose main process is at work already.
    """
    parent = Path(log_dir) / exp_name
    given = given_folder()
    numbered = (RunFolder(parent / str(number)) for number in sorted(_numbers(parent), reverse=True))
    for folder in numbered if given is None else [given]:
        if not folder.finished and folder.last_checkpoint.is_file() and (alive_too or not is_alive(folder)):
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
