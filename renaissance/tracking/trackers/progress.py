"""The tracker that shows metrics on the terminal: beside the training's progress bar, or as plain lines."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tqdm import tqdm

from renaissance.tracking.metrics import split_of
from renaissance.tracking.trackers.interface import RunStart, Tracker


class Progress(Tracker):
    """Shows metrics as they come. Those of the training stand beside its bar, where there is one to be seen."""

    name = "progress"
    order = 1
    _run: RunStart

    def start(self, run: RunStart) -> None:
        self._run = run

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Show metrics."""
        if not values:
            return
        split, terminal = split_of(next(iter(values))), self._run.terminal
        shown = "  ".join(f"{name.replace(f'/{split}/', ' ')} {value:.4g}" for name, value in values.items())
        if split == "train" and terminal is not None and terminal.show_on_bar(shown):
            return
        total = f"/{self._run.total_steps}" if self._run.total_steps is not None else ""
        pace = terminal.pace(step) if terminal is not None and split == "train" else ""
        tqdm.write(f"step {step}{total}  epoch {epoch:.3g}  {split:5}  {shown}{pace}", file=sys.stdout)
        sys.stdout.flush()


TRACKER = Progress
