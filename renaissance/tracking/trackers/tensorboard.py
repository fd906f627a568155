"""The tracker that writes TensorBoard logs into the run's folder, when `tensorboard=True` asks for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from renaissance.errors import UserError
from renaissance.settings import Settings
from renaissance.tracking.pace import Pace, drawn
from renaissance.tracking.trackers.interface import RunStart, Tracker

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoard(Tracker):
    """Writes settings as a text, metrics as scalars, and curves and sample sheets as images.

    Everything is flushed at once, so that a killed run loses nothing. What an interrupted run wrote after the
    checkpoint that a resumed one goes on from is marked as void, and TensorBoard leaves it out:
    https://pytorch.org/docs/stable/tensorboard.html (`purge_step`).
    """

    name = "tensorboard"
    _writer: SummaryWriter

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        return settings.tensorboard

    def start(self, run: RunStart) -> None:
        """Open the log.

        Raises:
            UserError: TensorBoard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError("tensorboard=True needs TensorBoard: pip install tensorboard") from error
        purge_step = None if run.resumed_step is None else run.resumed_step + 1
        self._writer = SummaryWriter(str(run.folder.tensorboard), purge_step=purge_step)
        self._writer.add_text("settings", _table(run.settings.model_dump()), run.resumed_step or 0)
        self._writer.flush()

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Write every value under its name."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def pace(self, pace: Pace) -> None:
        """Write learning rate, gradient norm and speed."""
        self.log(pace.step, pace.epoch, drawn(pace))

    def picture(self, name: str, path: Path, step: int) -> None:
        """Write a picture under its name."""
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))  # (H, W, 3) uint8
        self._writer.add_image(name, pixels, step, dataformats="HWC")
        self._writer.flush()

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write how the run ended, and close the log."""
        self._writer.add_text("status", str(summary["status"]), summary.get("steps", 0))
        self._writer.close()


def _table(settings: Mapping[str, Any]) -> str:
    """Settings as a table in Markdown, which TensorBoard shows as one."""
    rows = [f"| {name} | {_cell(value)} |" for name, value in settings.items()]
    return "\n".join(["| setting | value |", "|---|---|", *rows])


def _cell(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("|", "\\|")


TRACKER = TensorBoard
