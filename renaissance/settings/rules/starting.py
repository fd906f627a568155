"""What a training needs of the settings, and whoever builds a model: files that are there, something to train.

Each check is a function of the settings that yields faults, a line each (see `together.py`, which runs them).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from renaissance.commands.declaration import Check
from renaissance.settings.marked import settings_marked
from renaissance.settings.marks import Mark
from renaissance.settings.schema import Settings
from renaissance.settings.text_encoders import text_encoder_names


def loads_a_checkpoint(settings: Settings) -> bool:
    """Whether a checkpoint is loaded, which may bring encoders, a decoder and the vocabulary along."""
    return bool(settings.load_path or settings.load_modules or settings.resume_from)


def _files(settings: Settings) -> Iterator[str]:
    """`load_path`, `resume_from` and those of `load_modules` are checkpoint files that are there."""
    files = {"load_path": settings.load_path, "resume_from": settings.resume_from}
    files |= {f"load_modules.{part}": path for part, path in settings.load_modules.items()}
    for name, given in files.items():
        if not given or (name == "resume_from" and given == "auto"):
            continue
        path = Path(given)
        if path.is_dir():
            whole = path.with_suffix("")  # of a folder of shards, what is to be given
            beside = [whole] if path.suffix == ".shards" and whole.is_file() else []
            found = sorted(str(file) for file in [*beside, *path.glob("*.ckpt"), *path.glob("checkpoints/*.ckpt")])
            yield f"{name}={given!r} is a folder; give the checkpoint file" + (
                f": {' or '.join(found)}" if found else ", which a run writes under checkpoints/"
            )
        elif not path.is_file():
            yield f"{name}={given!r}: there is no such file"


def _folders(settings: Settings) -> Iterator[str]:
    """Where an encoder, a tokenizer or a vocabulary is given as a path, it is there."""
    if settings.vocab_file is not None and not loads_a_checkpoint(settings) and not Path(settings.vocab_file).is_file():
        yield f"vocab_file={settings.vocab_file!r}: there is no such file"
    for name in settings_marked(Mark.NAME_OR_FOLDER):
        for given in text_encoder_names(getattr(settings, name) or []):
            if re.match(r"\.{0,2}/|~", given) and not Path(given).is_dir():
                yield f"{name}={given!r}: there is no such folder"


def _manual_inputs(settings: Settings) -> Iterator[str]:
    for given in settings.manual_inputs:
        if not Path(given["image"]).is_file():
            yield f"manual_inputs: there is no file {given['image']!r}"


def _something_to_train(settings: Settings) -> Iterator[str]:
    if not settings.active_tasks():
        yield (
            "loss_names: no task is on; take a named configuration, such as `python run.py with quickstart` "
            "(`python run.py print_named_configs` lists them), or give a task a weight, such as "
            f"loss_names.mlm=1 (tasks: {', '.join(settings.loss_names)})"
        )


def _test_needs_weights(settings: Settings) -> Iterator[str]:
    if settings.test_only and settings.seeds is not None:  # first: with load_path it would be refused all the same
        yield "seeds with test_only=True: nothing is trained, and a test asks the same of every run"
    elif settings.test_only and not settings.load_path:
        yield "test_only=True needs load_path, the checkpoint to be tested"
    if settings.test_only and settings.resume_from is not None:
        yield "test_only=True and resume_from cannot both be given: a test goes on with no run; name its load_path"


def _one_start(settings: Settings) -> Iterator[str]:
    if settings.load_path and settings.resume_from not in (None, "auto"):
        yield (
            "load_path and resume_from cannot both be given: load_path starts a new run from a checkpoint's weights, "
            "resume_from continues a run that was stopped"
        )
    if settings.load_modules and settings.resume_from not in (None, "auto"):
        yield (
            "load_modules and resume_from cannot both be given: load_modules starts a new run from parts of "
            "checkpoints, resume_from continues a run that was stopped"
        )
    if settings.load_modules and settings.load_path:
        yield (
            "load_modules and load_path cannot both be given: load_path takes the whole model of one checkpoint, "
            "load_modules one part each from several"
        )


FILES: list[Check] = [_files, _folders, _manual_inputs]
RESUMING: list[Check] = [_test_needs_weights, _one_start]
TRAINING: list[Check] = [_something_to_train, *RESUMING]
