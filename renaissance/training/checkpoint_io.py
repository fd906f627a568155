"""Lightning's door to checkpoint files: the trainer writes and reads them through `SafeCheckpointIO`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytorch_lightning.plugins.io import TorchCheckpointIO

from renaissance.checkpoints.checkpoint import read_content
from renaissance.checkpoints.files import write_checkpoint
from renaissance.checkpoints.shards import joined_states


class SafeCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints whole or not at all, and opens them without running their code.

    The trainer's loop counters are left out when reading: the position in the data follows from `global_step`
    alone (see `plan.py`), which resumes the same on every version of Lightning.

    Args:
        in_shares: each device takes its share of the optimiser's state, which is left in parts where it was written so.
    """

    def __init__(self, in_shares: bool = False) -> None:
        super().__init__()
        self._in_shares = in_shares

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write the file, whole or not at all.

        Raises:
            DiskFull: there is no room for it.
        """
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read for resuming, at this version's format.

        Raises:
            UserError: it cannot be read.
        """
        content = read_content(path)
        content.pop("loops", None)
        if not self._in_shares and "optimizer_states" in content:
            content["optimizer_states"] = joined_states(content["optimizer_states"])
        return content
