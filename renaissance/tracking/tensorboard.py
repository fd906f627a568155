"""TensorBoard logs of a run, when `tensorboard=True` asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from renaissance.errors import UserError


class TensorBoardSink:
    """Writes metrics as TensorBoard scalars.

    Args:
        folder: where the event files go.

    Raises:
        UserError: if TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError("tensorboard=True needs TensorBoard: pip install tensorboard") from error
        self._writer = SummaryWriter(str(folder))

    def write(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Log every value under its name; flushed at once, so that a killed run loses nothing."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()
