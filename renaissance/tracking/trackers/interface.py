r"""What a tracker is, and what it is told of a run.

A tracker keeps or shows what a run does: in a file, on the terminal, in TensorBoard, at a service. It is told of the
run's start, of metrics, pace and pictures as they come, and of how the run ended. Only the main process of a run has
trackers.

A tracker of one's own is a class with a name and the methods that it needs:

    from renaissance.extend import register_tracker
    from renaissance.tracking.trackers.interface import RunStart, Tracker

    @register_tracker
    class Notes(Tracker):
        name = "notes"

        def start(self, run: RunStart) -> None:
            self.path = run.folder.path / "notes.txt"

        def log(self, step, epoch, values):
            with self.path.open("a") as file:
                file.write(f"step {step}: {dict(values)}\n")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from renaissance.settings import Settings
from renaissance.tracking.pace import Pace
from renaissance.tracking.run_folder import RunFolder

LogScalar = Callable[[str, float, int], None]
"""Takes a metric as (name, value, step)."""

ShowPicture = Callable[[str, Path, int], None]
"""Takes a picture as (name, PNG file, step)."""


class Terminal(Protocol):
    """What a person sees of a run's pace while it goes on."""

    def show_on_bar(self, text: str) -> bool:
        """Show a text beside the progress bar of the training; False where there is no bar to be seen."""

    def pace(self, step: int) -> str:
        """How fast training goes, and how long it still takes from `step` on, as the end of a line; may be empty."""


@dataclass(frozen=True)
class RunStart:
    """A run that starts or goes on.

    Attributes:
        settings: the run's resolved settings.
        folder: the run's folder.
        resumed_step: the optimiser steps that the run had taken before it was resumed; None for a new run.
        validated_step: the step of the newest validation that the checkpoint counts; 0 for a new run.
        total_steps: the optimiser steps that the training takes; None where nothing is trained.
        log_scalar: takes metrics for Sacred's observers.
        show: hands a picture that a tracker drew to all trackers.
        terminal: what a person sees; None where a run has no terminal.
    """

    settings: Settings
    folder: RunFolder
    resumed_step: int | None = None
    validated_step: int = 0
    total_steps: int | None = None
    log_scalar: LogScalar = lambda name, value, step: None
    show: ShowPicture = lambda name, path, step: None
    terminal: Terminal | None = None


class Tracker:
    """Keeps or shows what a run does. A tracker overrides the methods that it needs; the others do nothing.

    Attributes:
        name: the tracker's name, in messages and in the table of trackers.
        essential: whether a run cannot go on without it. An error of an essential tracker ends the run. An error of
            another one is told once, and the run goes on.
        order: trackers are told in this order, the smallest first; those of one order by their names.
    """

    name: ClassVar[str]
    essential: ClassVar[bool] = False
    order: ClassVar[int] = 10

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Whether a run with these settings has this tracker."""
        return True

    def start(self, run: RunStart) -> None:
        """Take in that a run starts or goes on, before its first step.

        Raises:
            UserError: the tracker cannot begin. This ends the run, whether the tracker is essential or not.
        """

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Take in metrics.

        Args:
            step: the optimiser steps that the weights had taken.
            epoch: how many times the data had been seen.
            values: by name, `<task>/<split>/<metric>`, all of one split.
        """

    def pace(self, pace: Pace) -> None:
        """Take in how a training goes, behind each point of its curves.

        Args:
            pace: step, epoch, examples and working seconds, learning rate, gradient norm, and examples a second.
        """

    def picture(self, name: str, path: Path, step: int) -> None:
        """Take in a picture.

        Args:
            name: what it shows, such as `curves/mlm_loss` or `samples/val`. The same name comes again at later steps.
            path: the PNG file. It may be written anew at a later step.
            step: the optimiser steps that the weights had taken.
        """

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Take in that the run has ended: all of it came to its end, or a signal stopped it.

        Args:
            summary: what `summary.json` holds. `summary["status"]` is "finished" or "interrupted".
        """
