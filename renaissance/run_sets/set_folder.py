"""The folder of a set of runs, `<log_dir>/<kind>/<n>/`: what is in it, and which set a command goes on with.

set.json       the set's command and settings, and each run's folder and state; written anew at every change
output/        all that each run printed, a file each
jobs/          what submitit needs, where runs are computed as jobs
results.csv    the table that ends the set; what else there is, seeds and sweeps say
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from renaissance.atomic_files import remove_leftovers, write_json
from renaissance.errors import UserError
from renaissance.locks import AlreadyHeld, held, is_held
from renaissance.run_sets.command_line import OF_SET
from renaissance.run_sets.member import Member, Trial
from renaissance.run_sets.record_check import check_record
from renaissance.settings import Settings
from renaissance.settings.on_resume import OnResume, on_resume
from renaissance.tracking.run_folder import new_numbered_folder

RECORD = "set.json"
KINDS = {"seeds": "set", "sweeps": "sweep"}  # by the folder under log_dir, what one is called
MARK = ".at_work"  # another name than the mark of a run has: a set is none


@dataclass
class RunSet:
    """A set of runs as its folder tells it.

    Attributes:
        path: its folder.
        identity: what makes it this set and no other: the settings that its runs share and training depends on.
        command: the command line that began it.
        status: "running", "finished", "failed" or "stopped", as of when it was last written.
        members: its runs.
        trials: of a sweep.
    """

    path: Path
    identity: dict[str, Any]
    command: list[str]
    status: str = "running"
    members: list[Member] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)

    def save(self) -> None:
        """Write `set.json`."""
        content = {
            "status": self.status,
            "command": self.command,
            "runs": [member.plain() for member in self.members],
            "trials": [trial.plain() for trial in self.trials],
            "settings": self.identity,
        }
        write_json(self.path / RECORD, content)

    def output_of(self, member: Member) -> Path:
        """The file that takes all that a run prints."""
        return self.path / "output" / f"{member.file_name}.txt"

    @property
    def jobs(self) -> Path:
        """The folder of what submitit needs."""
        return self.path / "jobs"

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Keep other processes off the set while the block runs; ends however this process does.

        Raises:
            UserError: another process is at work on it.
        """
        mark = self.path / MARK
        try:
            with held(mark):
                remove_leftovers(self.path)
                try:
                    yield
                finally:
                    mark.unlink(missing_ok=True)
        except AlreadyHeld:
            raise UserError(
                f"{self.path}: another process is at work on this set. Wait for it to end, or stop it, and then resume."
            ) from None


def identity_of(settings: Settings, varied: Sequence[str]) -> dict[str, Any]:
    """What tells a set from others: its name, and every setting that a training depends on and that no run has alone.

    Args:
        settings: those of the command line.
        varied: the settings that differ between the set's runs.
    """
    irrelevant = (OnResume.NO_EFFECT, OnResume.COMMAND)
    kept = {name for name, field_of in Settings.model_fields.items() if on_resume(field_of) not in irrelevant}
    values = settings.model_dump(mode="json")
    return {name: values[name] for name in values if name in {"exp_name", *kept} - OF_SET - set(varied)}


def new_set(settings: Settings, kind: str, identity: Mapping[str, Any], command: Sequence[str]) -> RunSet:
    """A set in the next free folder.

    Args:
        settings: those of the command line.
        kind: "seeds" or "sweeps".
        identity: as `identity_of` gives it, with what else tells this set from others.
        command: the command line.

    Raises:
        UserError: no folder can be made there.
    """
    path = new_numbered_folder(Path(settings.log_dir) / kind, f"log_dir={settings.log_dir}")
    found = RunSet(path, dict(identity), list(command))
    found.save()
    return found


def set_to_go_on_with(
    settings: Settings,
    kind: str,
    identity: Mapping[str, Any],
    is_done: Callable[[RunSet], bool],
    command: Sequence[str],
) -> RunSet:
    """The set that `resume_from=auto` goes on with, which is said; else a new one.

    Args:
        settings: those of the command line.
        kind: "seeds" or "sweeps".
        identity: of the set.
        is_done: whether nothing is left to do of a set.
        command: the command line.

    Raises:
        UserError: another process is at work on it, or no folder can be made.
    """
    found = None
    if settings.resume_from == "auto":
        found = newest_set(settings, kind, identity, is_done)
        what = KINDS[kind]
        told = f"no unfinished {what} of these settings; a new one" if found is None else f"going on with {found.path}"
        print(f"resume_from=auto: {told}")
    run_set = found or new_set(settings, kind, identity, command)
    run_set.status = "running"
    return run_set


def newest_set(
    settings: Settings, kind: str, identity: Mapping[str, Any], is_done: Callable[[RunSet], bool]
) -> RunSet | None:
    """The newest set of the same identity that did not come to its end; None where there is none.

    Args:
        settings: those of the command line.
        kind: "seeds" or "sweeps".
        identity: of the set that is looked for.
        is_done: whether nothing is left to do of a set.

    Raises:
        UserError: another process is at work on it.
    """
    parent = Path(settings.log_dir) / kind
    paths = [path for path in parent.iterdir() if path.name.isdecimal()] if parent.is_dir() else []
    for path in sorted(paths, key=lambda path: -int(path.name)):
        found = read_set(path)
        if found is None or found.identity != json.loads(json.dumps(identity)):
            continue
        if is_held(path / MARK):
            raise UserError(f"{path}: another process is at work on this set. Wait for it to end, or stop it.")
        if not is_done(found):
            return found
    return None


def read_set(path: Path) -> RunSet | None:
    """The set in a folder; None where there is none that can be read and believed.

    Args:
        path: the folder, `<log_dir>/<kind>/<n>`.
    """
    try:
        content = json.loads((path / RECORD).read_text(encoding="utf-8"))
        found = RunSet(
            path=path,
            identity=dict(content["settings"]),
            command=list(content["command"]),
            status=str(content["status"]),
            members=[Member.of_plain(run) for run in content["runs"]],
            trials=[Trial.of_plain(trial) for trial in content["trials"]],
        )
        check_record(path.parent.parent, found.identity, found.members, found.trials)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    return found
