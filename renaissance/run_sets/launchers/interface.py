"""What starts runs, and what a run that was started can be asked."""

from __future__ import annotations

from typing import Protocol

from renaissance.run_sets.member import Member


class Started(Protocol):
    """A run at work."""

    def poll(self) -> int | None:
        """Its exit status; None as long as it goes on."""

    def stop(self, signum: int) -> None:
        """Have it save its state and end."""

    def kill(self) -> None:
        """End it at once."""

    def problem(self) -> str:
        """The last lines that it printed, for when it failed."""


class Launcher(Protocol):
    """Starts runs.

    Attributes:
        stops_with_us: whether runs end when this process is told to.
    """

    stops_with_us: bool

    def settle(self, member: Member) -> Started | None:
        """Of a run that was at work when an earlier process ended: what it is now; None where it is at work no more.

        Where it has to end before it can be started again, this waits for that.
        """

    def start(self, member: Member, resume: bool) -> Started:
        """Start a run in its folder.

        Args:
            member: the run; its folder is there, and its `job` is set.
            resume: go on from its last checkpoint.

        Raises:
            UserError: it cannot be started.
        """
