"""What a job has done so far, kept beside its output, so that one that was killed goes on where it was.

`<output>.partial` is a text file: a line that says which job it is, then for every window of the input a line an
example, and a line that closes the window. What stands behind the last of these lines when a process is killed is of a
window that was not closed; it is cut off, and that window is done again. So nothing is lost and nothing is there twice.
At last a line tells the file of answers that is put in its place: one that is there by then is known by it as complete.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from renaissance.atomic_files import naming_full_disk, remove_leftovers, to_disk
from renaissance.errors import UserError
from renaissance.locks import AlreadyHeld, held
from renaissance.predicting.places import partial_of

DONE = '{"done":'  # begins a line that closes a window, and no other
FORMAT = 2  # another one where rows are numbered, or answers kept, in another way
BEGINS = b'{"format": '  # the line that says which job it is


@dataclass
class Progress:
    """How far a job is.

    Attributes:
        rows: of the input, that are done.
        answered: examples.
        rejected: rows, and examples of them, that could not be used.
        seconds: that the work took, over all its processes.
        output: what tells the file of answers that is about to be put in its place (`file_identity`); "" before that.
    """

    rows: int = 0
    answered: int = 0
    rejected: int = 0
    seconds: float = 0.0
    output: str = ""


class Journal:
    """The journal of a job, which this process alone writes.

    Attributes:
        path: the file.
        progress: what is done.
        resumed: whether an earlier process did some of it.
    """

    def __init__(self, path: Path, progress: Progress) -> None:
        self.path = path
        self.progress = progress
        self.resumed = progress.rows > 0

    def close_window(self, entries: Iterable[Mapping[str, Any]], progress: Progress) -> None:
        """Add a window's examples, and see them on the disk.

        Args:
            entries: a dictionary an example, fit for JSON.
            progress: of the job with them.

        Raises:
            DiskFull: there is no room; what was there before stays.
        """
        lines = [json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in entries]
        lines.append(DONE + json.dumps(vars(progress)) + "}")
        with naming_full_disk(self.path), self.path.open("ab") as file:
            # Halves of characters, which JSON and names of files may hold, are question marks.
            file.write(("\n".join(lines) + "\n").encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())
        self.progress = progress

    def written(self, output: str) -> None:
        """Say which file of answers is to be the output, before it is put in its place.

        Args:
            output: what tells it.
        """
        self.close_window((), replace(self.progress, output=output))

    def entries(self) -> Iterator[dict[str, Any]]:
        """The examples that are done, in the order of the input. Raises UserError: the journal is damaged."""
        with self.path.open("rb") as file:
            next(file)
            for line in file:
                if not line.startswith(DONE.encode()):
                    yield _parsed(self.path, line)


@contextmanager
def journal_of(output: Path, job: Mapping[str, Any]) -> Iterator[Journal]:
    """The journal of the job that writes an output, begun or gone on with; it stays when the block ends.

    Args:
        output: the output.
        job: what has to be the same for a job to go on: names in words with plain values.

    Raises:
        UserError: nothing can be written there, another process is at it, or the journal is of another job or damaged.
    """
    path = partial_of(output)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise UserError(
            f"output={str(output)!r}: nothing can be written there ({error.strerror}). Give another place."
        ) from None
    try:
        with held(path):
            remove_leftovers(path.parent, of=output)
            yield _opened(path, job)
    except AlreadyHeld:
        raise UserError(
            f"output={str(output)!r}: another process is writing it. Wait for that, or give another output."
        ) from None


def _opened(path: Path, job: Mapping[str, Any]) -> Journal:
    first = json.dumps({"format": FORMAT, **job}, ensure_ascii=False) + "\n"
    with path.open("rb") as file:
        found = file.readline()
    if not found.endswith(b"\n") and found[: len(BEGINS)] == BEGINS[: len(found)]:  # nothing, or broken off by a kill
        path.write_bytes(first.encode("utf-8"))
        to_disk(path)
        to_disk(path.parent)
        return Journal(path, Progress())
    _check_job(path, found, json.loads(first))
    return _gone_on_with(path)


def _check_job(path: Path, found: bytes, job: Mapping[str, Any]) -> None:
    """See that a journal is of this job. Raises UserError, naming what is another."""
    try:
        was = json.loads(found)
        differing = [name for name in job if was.get(name) != job[name]]
    except (ValueError, AttributeError):
        raise UserError(f"{path} is no journal of predict. Move it away, or give another output.") from None
    if "format" in differing:
        raise UserError(
            f"{path} is of a job that another version of Renaissance began, whose answers would not go with those of "
            "this one. Go on with that version; or delete the file to begin anew, or give another output."
        )
    if differing:
        raise UserError(
            f"{path} is of a job that was stopped, and since then this has changed: {', '.join(differing)}. Its "
            "answers would not go with the new ones. Put that back as it was to go on; or delete the file to begin "
            "anew, or give another output."
        )


def _gone_on_with(path: Path) -> Journal:
    """The journal without what was not closed. Raises UserError: lines of what was closed are missing."""
    progress, size, entries = Progress(), 0, 0
    with path.open("rb+") as file:
        place = size = len(file.readline())
        for line in file:
            place += len(line)
            if not line.startswith(DONE.encode()):
                entries += 1
            elif line.endswith(b"}\n"):
                try:
                    progress, size = Progress(**_parsed(path, line)["done"]), place
                except (TypeError, KeyError):
                    raise _damaged(path) from None
                if progress.answered + progress.rejected != entries:
                    raise _damaged(path)
        file.truncate(size)
    return Journal(path, progress)


def _parsed(path: Path, line: bytes) -> dict[str, Any]:
    """A line of the journal. Raises UserError: it is none."""
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        raise _damaged(path) from None
    return found


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} is damaged. Delete it to begin anew.")
