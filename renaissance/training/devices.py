"""Which processors a run uses: `num_gpus` against what the machine has; and which of them writes and prints."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pytorch_lightning.utilities import rank_zero_only

from renaissance.errors import UserError
from renaissance.settings.groups.experiment import MachineSettings


@dataclass(frozen=True)
class Devices:
    """The processors of a run.

    Attributes:
        accelerator: "cuda" or "cpu", in Lightning's terms.
        per_node: processes on each machine.
        nodes: machines.
    """

    accelerator: str
    per_node: int
    nodes: int

    @property
    def world_size(self) -> int:
        """Processes over all machines."""
        return self.per_node * self.nodes


def resolve_devices(settings: MachineSettings) -> Devices:
    """The processors that `num_gpus` and `num_nodes` name.

    Raises:
        UserError: if more GPUs are asked for than are visible, or a precision that the processor lacks.
    """
    visible = torch.cuda.device_count()
    wanted = visible if settings.num_gpus == "auto" else settings.num_gpus
    if wanted > visible:
        raise UserError(
            f"num_gpus={wanted}, but {visible} GPU{'s are' if visible != 1 else ' is'} visible on this machine. "
            "Give num_gpus=auto for all that are visible, or num_gpus=0 for the CPU."
        )
    if wanted == 0:
        if settings.precision == "16-mixed":
            raise UserError("precision=16-mixed needs a GPU; on the CPU give precision=32 or precision=bf16-mixed.")
        return Devices("cpu", 1, settings.num_nodes)
    return Devices("cuda", wanted, settings.num_nodes)


def this_rank() -> int:
    """This process's number among those of a run on several devices; 0 is the one that writes."""
    return int(getattr(rank_zero_only, "rank", 0) or 0)


def say(line: str) -> None:
    """Print a line, in the main process of a run alone."""
    if this_rank() == 0:
        print(line)
