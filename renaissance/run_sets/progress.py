"""What a person sees of a set of runs: a line an event with the run's name in front, and a bar on a terminal."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

from renaissance.run_sets.member import Member
from renaissance.text_table import printable


class Progress:
    """Shows a set's events, and how many of its runs have ended.

    Args:
        total: runs of the set.
        ended: of them that had ended before.
    """

    def __init__(self, total: int, ended: int) -> None:
        self._bar: tqdm[Any] = tqdm(
            total=total, initial=ended, desc="runs", unit="run", disable=not sys.stderr.isatty(), dynamic_ncols=True
        )

    def tell(self, member: Member, event: str) -> None:
        """Print an event of a run."""
        tqdm.write(f"{member.name}: {printable(event)}", file=sys.stdout)
        sys.stdout.flush()

    def show(self, text: str) -> None:
        """Print lines of several runs' output, as they are."""
        tqdm.write(text, file=sys.stdout)
        sys.stdout.flush()

    def ended(self) -> None:
        """One more run has ended."""
        self._bar.update()

    def close(self) -> None:
        """Leave the bar."""
        self._bar.close()
