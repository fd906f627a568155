"""The tracker that sends a run to Weights & Biases, when `wandb_project` names a project there.

In: settings, metrics, sample sheets, the summary. Out: a W&B run, whose files lie under `wandb/` in the run's folder.
The run's training never waits for the service: without an API key, without a network, or with `wandb_offline=True`, all
of it is kept there, to be sent later with `wandb sync`. A resumed run goes on in its own W&B run.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from renaissance.errors import UserError
from renaissance.settings import Settings
from renaissance.tracking.pace import Pace, drawn
from renaissance.tracking.run_folder import RunFolder
from renaissance.tracking.trackers.interface import RunStart, Tracker

if TYPE_CHECKING:
    from wandb import Run

STEP = "optimiser_step"  # what W&B draws every metric over
CONNECT_SECONDS = 5  # that the service has to answer, before a run is kept offline
FINISH_SECONDS = 60  # that what is not sent yet has at the end of a run
ROWS = 8  # rows of W&B's history that an optimiser step may take
DRAWN_THERE = "curves/"  # pictures that W&B draws itself


class WeightsAndBiases(Tracker):
    """Sends settings, metrics, sample sheets and how the run ended.

    W&B drops what comes for an earlier row of its history than the newest. Tests are of the best step, before the
    last, so rows are counted apart from steps (https://docs.wandb.ai/guides/track/log/customize-logging-axes). A
    resumed run begins behind the rows that it had.
    """

    name = "wandb"
    _run: Run
    _row = -1

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        return settings.wandb_project is not None and os.environ.get("WANDB_MODE") != "disabled"

    def start(self, run: RunStart) -> None:
        """Open the W&B run, or go on with it.

        Raises:
            UserError: W&B's package is not installed.
        """
        try:
            import wandb
        except ImportError as error:
            raise UserError("wandb_project needs the package of Weights & Biases: pip install wandb") from error
        why = _why_offline(run.settings)
        if why is None:
            try:
                self._run = _open(run, "online")
            except (wandb.Error, OSError) as error:
                why = f"the service did not take it ({type(error).__name__})"
        if why is not None:
            self._run = _open(run, "offline")
            print(f"wandb: {why}; kept offline, `wandb sync {Path(self._run.dir).parent}` sends it", file=sys.stderr)
        self._run.config.update(run.settings.model_dump(), allow_val_change=True)
        self._run.define_metric(STEP, hidden=True)
        self._run.define_metric("*", step_metric=STEP)
        self._row = self._run.step - 1

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Send every value under its name."""
        self._send(step, {**values, "epoch": epoch})

    def pace(self, pace: Pace) -> None:
        """Send learning rate, gradient norm and speed, and what W&B can draw them over."""
        self._send(pace.step, {**drawn(pace), "pace/examples": pace.examples, "pace/seconds": pace.seconds})

    def picture(self, name: str, path: Path, step: int) -> None:
        """Send a sheet of samples under its name."""
        import wandb

        if not name.startswith(DRAWN_THERE):
            self._send(step, {name: wandb.Image(str(path))})

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Send what `summary.json` holds, and close the W&B run; what takes too long stays to be sent later."""
        self._run.summary.update(dict(summary))
        self._run.finish(exit_code=0 if summary["status"] == "finished" else 1)

    def _send(self, step: int, values: Mapping[str, Any]) -> None:
        """A row of the history of its own, over an optimiser step."""
        self._row = max(self._row + 1, ROWS * step)
        self._run.log({**values, STEP: step}, step=self._row)


def _open(run: RunStart, mode: Literal["online", "offline"]) -> Run:
    """The W&B run of a run's folder, in W&B's mode of that name."""
    import wandb

    return wandb.init(
        project=run.settings.wandb_project,
        id=_run_id(run.folder),
        resume="allow" if mode == "online" else None,  # nobody can be asked offline whether there is such a run
        name="/".join(run.folder.path.parts[-2:]),
        group=run.settings.exp_name,
        dir=str(run.folder.path),
        mode=mode,
        settings=wandb.Settings(
            console="off",  # standard output stays as it is
            silent=True,
            init_timeout=4 * CONNECT_SECONDS,
            finish_timeout=FINISH_SECONDS,
        ),
    )


def _run_id(folder: RunFolder) -> str:
    """The number of the W&B run that belongs to a run's folder, made when it is first asked for."""
    path = folder.path / "wandb" / "run_id"
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        path.write_text(secrets.token_hex(4), encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()


def _why_offline(settings: Settings) -> str | None:
    """Why a run cannot be sent while it goes on; None where it can. Asks nobody, and waits for little."""
    import wandb

    if settings.wandb_offline:
        return "wandb_offline=True"
    mode = os.environ.get("WANDB_MODE", "online")
    if mode != "online":
        return f"WANDB_MODE={mode}"
    try:
        if not wandb.login(prompt=False, verify=False):
            return "no API key (`wandb login` takes one)"
    except (wandb.Error, ValueError, OSError) as error:
        return f"the API key cannot be used ({' '.join(str(error).split())})"
    address = urlsplit(wandb.setup().settings.base_url)
    return None if _answers(str(address.hostname), address.port or 443) else f"{address.hostname} does not answer"


def _answers(host: str, port: int) -> bool:
    """Whether a connection can be made soon; looking up a name can take longer than any connection may."""
    answered = []

    def connect() -> None:
        with suppress(OSError), socket.create_connection((host, port), timeout=CONNECT_SECONDS):
            answered.append(True)

    trying = Thread(target=connect, daemon=True)
    trying.start()
    trying.join(CONNECT_SECONDS)
    return bool(answered)


TRACKER = WeightsAndBiases
