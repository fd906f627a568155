"""The tracker that records a run with trackio on this machine, when `trackio_project` names a project.

trackio keeps metrics in an SQLite file of its own (`TRACKIO_DIR`, by default below the hub's cache), which
`trackio show` shows (https://huggingface.co/docs/trackio). Nothing is sent anywhere: its variables that name a Space or
a server are without effect here.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renaissance.errors import UserError
from renaissance.settings import Settings
from renaissance.tracking.pace import Pace, drawn
from renaissance.tracking.trackers.interface import RunStart, Tracker

if TYPE_CHECKING:
    from trackio.run import Run

ELSEWHERE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_BUCKET_ID", "TRACKIO_WEBHOOK_URL")
DRAWN_THERE = "curves/"  # pictures that trackio draws itself


class Trackio(Tracker):
    """Records settings, metrics, sample sheets and how the run ended.

    trackio takes no row back. Of the steps that a resumed run does again it keeps the first rows.
    """

    name = "trackio"
    _run: Run
    _there: frozenset[tuple[str, int]] = frozenset()  # metrics and steps that an interrupted run recorded

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        return settings.trackio_project is not None

    def start(self, run: RunStart) -> None:
        """Open trackio's run, or go on with it.

        Raises:
            UserError: trackio is not installed.
        """
        try:
            with _on_this_machine():
                import trackio
        except ImportError as error:
            raise UserError("trackio_project needs the package trackio: pip install trackio") from error
        project, name = str(run.settings.trackio_project), "/".join(run.folder.path.parts[-2:])
        with _on_this_machine():
            self._run = trackio.init(
                project,
                name=name,
                group=run.settings.exp_name,
                config=run.settings.model_dump(),
                resume="never" if run.resumed_step is None else "allow",
                embed=False,
                auto_log_cpu=False,
            )
        if run.resumed_step is not None:
            self._there = frozenset(_recorded(project, name))

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Record every value under its name."""
        new = {name: float(value) for name, value in values.items() if (name, step) not in self._there}
        if new:
            self._run.log({**new, "epoch": float(epoch)}, step=step)

    def pace(self, pace: Pace) -> None:
        """Record learning rate, gradient norm and speed, as `pace/<name>`."""
        self.log(pace.step, pace.epoch, drawn(pace))

    def picture(self, name: str, path: Path, step: int) -> None:
        """Record a sheet of samples under its name."""
        import trackio

        if not name.startswith(DRAWN_THERE) and (name, step) not in self._there:
            self._run.log({name: trackio.Image(str(path))}, step=step)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Wait until all of it is in trackio's file."""
        import trackio

        with _on_this_machine():
            trackio.finish()


@contextmanager
def _on_this_machine() -> Iterator[None]:
    """While the block runs trackio finds no address to send to, and prints nothing."""
    kept = {name: os.environ.pop(name) for name in ELSEWHERE if name in os.environ}
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        os.environ.update(kept)


def _recorded(project: str, name: str) -> Iterator[tuple[str, int]]:
    """What trackio has of a run already."""
    from trackio.sqlite_storage import SQLiteStorage

    for row in SQLiteStorage.get_logs(project, name):
        for metric in row:
            yield metric, int(row["step"])


TRACKER = Trackio
