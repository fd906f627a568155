"""A run's history: what it began with, and what each resume changed. No PyTorch here.

`config.json` holds the settings as the run began, and is not written again. `command.json` holds the command that
began it, and under "resumes" an entry for each time that the run was resumed in its folder:

    {"command": [...], "started": "...", "folder": "...", "versions": {...},
     "resumes": [{"step": 5, "changed": {"learning_rate": [0.002, 0.001]}, "command": [...], "started": "...", ...}]}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from renaissance.atomic_files import write_json
from renaissance.settings.earlier import with_schedule
from renaissance.tracking.run_folder import RunFolder


@dataclass(frozen=True)
class History:
    """What a run began with, and its resumes.

    Attributes:
        settings: those that it began with.
        start: its command, when, where, with which versions.
        resumes: the same of each resume, with "step" and "changed": names with the values before and after.
    """

    settings: dict[str, Any]
    start: dict[str, Any]
    resumes: list[dict[str, Any]]

    def settings_now(self) -> dict[str, Any]:
        """The settings with what the resumes changed, as this version calls them."""
        now = with_schedule(self.settings)
        for resume in self.resumes:
            now = with_schedule({**now, **{name: after for name, (_, after) in resume["changed"].items()}})
        return now

    def words(self) -> set[str]:
        """The words of the run's commands."""
        return {word for call in (self.start, *self.resumes) for word in call.get("command", [])}


def read_history(folder: RunFolder) -> History | None:
    """The history of the run in a folder; None where there is none that can be read."""
    try:
        settings, start = (json.loads(path.read_text(encoding="utf-8")) for path in (folder.config, folder.command))
        return History(dict(settings), dict(start), list(start.get("resumes", [])))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def write_start(folder: RunFolder, settings: Mapping[str, Any], call: Mapping[str, Any]) -> None:
    """Write what a run begins with.

    Args:
        folder: the run's folder.
        settings: by name.
        call: the command, when, where, with which versions.
    """
    write_json(folder.config, settings)
    write_json(folder.command, {**call, "resumes": []})


def add_resume(folder: RunFolder, call: Mapping[str, Any], step: int, changed: Mapping[str, tuple[Any, Any]]) -> None:
    """Append a resume to a run's history.

    Args:
        folder: the run's folder.
        call: the command, when, where, with which versions.
        step: the optimiser steps done before.
        changed: the settings that differ from then on, with the values before and after.
    """
    history = read_history(folder)
    assert history is not None
    entry = {"step": step, "changed": {name: list(values) for name, values in changed.items()}, **call}
    write_json(folder.command, {**history.start, "resumes": [*history.resumes, entry]})


def run_of(checkpoint: Path) -> RunFolder:
    """The folder that a checkpoint lies in, if it lies in a run's."""
    return RunFolder(checkpoint.resolve().parent.parent)
