"""A run of a set: what it is told beside the others, where it lies, and what has become of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from renaissance.tracking.run_folder import RunFolder


class State(StrEnum):
    """What has become of a run, or of a trial."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    PRUNED = "pruned"  # given up, since others did better
    STOPPED = "stopped"  # by a signal, with its state saved


@dataclass
class Member:
    """A run of a set.

    Attributes:
        name: what lines and tables call it, such as "seed 0" or "trial 3".
        settings: what its command line adds to the set's.
        trial: the number of the trial that it belongs to; None outside sweeps.
        state: what has become of it.
        folder: its run folder; None before it was first started.
        job: what the launcher calls it, such as SLURM's number; None for a process of this machine.
        problem: why it failed; empty where it did not.
    """

    name: str
    settings: dict[str, Any]
    trial: int | None = None
    state: State = State.WAITING
    folder: str | None = None
    job: str | None = None
    problem: str = ""

    @property
    def run(self) -> RunFolder:
        """Its run folder.

        Raises:
            ValueError: it was never started.
        """
        if self.folder is None:
            raise ValueError(f"{self.name} was never started")
        return RunFolder(Path(self.folder))

    @property
    def file_name(self) -> str:
        """Its name as a file's."""
        return self.name.replace(", ", "_").replace(" ", "_")

    def plain(self) -> dict[str, Any]:
        """Its attributes, for a file."""
        return {**asdict(self), "state": str(self.state)}

    @classmethod
    def of_plain(cls, values: dict[str, Any]) -> Member:
        """A member out of a file."""
        return cls(**{**values, "state": State(values["state"])})


@dataclass
class Trial:
    """One choice of the swept settings, trained once or with several seeds.

    Attributes:
        number: from 0 on.
        values: the swept settings by name.
        state: what has become of it.
        value: what is optimised, the mean over its seeds; None as long as it is not known.
        of_seeds: the same of each seed, in the order of `seeds`.
        problem: why it failed; empty where it did not.
    """

    number: int
    values: dict[str, Any]
    state: State = State.WAITING
    value: float | None = None
    of_seeds: list[float] = field(default_factory=list)
    problem: str = ""

    def plain(self) -> dict[str, Any]:
        """Its attributes, for a file."""
        return {**asdict(self), "state": str(self.state)}

    @classmethod
    def of_plain(cls, values: dict[str, Any]) -> Trial:
        """A trial out of a file."""
        return cls(**{**values, "state": State(values["state"])})
