"""Which processors a run uses, as how many processes; and which of these writes and prints.

Comes in: `num_gpus`, `devices` and `num_nodes`, what the machine has, and what torchrun or SLURM have started. Goes
out: a `Devices`, or one message with what contradicts what.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pytorch_lightning.utilities import rank_zero_only

from renaissance.errors import UserError
from renaissance.launched import Launched, is_first_process, launched, own_local_rank, own_rank
from renaissance.settings.schema import DeviceSettings


@dataclass(frozen=True)
class Devices:
    """The processors of a run, and the place of this process among them.

    Attributes:
        accelerator: "cuda" or "cpu", in Lightning's terms.
        per_node: processes on each machine.
        nodes: machines.
        rank: this process's number among all of the run; 0 is the one that records and prints.
        local_rank: its number among those on its machine.
        started_by: what has started all processes: "torchrun" or "SLURM"; empty where the run does it itself.
    """

    accelerator: str
    per_node: int
    nodes: int
    rank: int = 0
    local_rank: int = 0
    started_by: str = ""

    @property
    def world_size(self) -> int:
        """Processes over all machines."""
        return self.per_node * self.nodes


def resolve_devices(settings: DeviceSettings) -> Devices:
    """The processors that the settings name, and the processes that are there.

    Raises:
        UserError: if more GPUs are asked for than are visible, a precision that the processor lacks, or other numbers
            of processes or machines than torchrun or SLURM have started.
    """
    outside = launched()
    gpus = _gpus(settings, outside)
    if gpus == 0 and settings.precision == "16-mixed":
        raise UserError("precision=16-mixed needs a GPU; on the CPU give precision=32 or precision=bf16-mixed.")
    accelerator = "cuda" if gpus else "cpu"
    if outside is not None:
        _check_as_started(settings, gpus, outside)
        return Devices(accelerator, outside.per_node, outside.nodes, outside.rank, outside.local_rank, outside.by)
    per_node = gpus or settings.devices or 1
    return Devices(accelerator, per_node, settings.num_nodes, own_rank(per_node), own_local_rank())


def _gpus(settings: DeviceSettings, outside: Launched | None) -> int:
    """GPUs that are used on this machine; 0 for the CPU.

    Raises:
        UserError: there are not as many, or with `num_gpus=auto` it is not clear how many are meant.
    """
    visible = torch.cuda.device_count()
    if settings.num_gpus != "auto":
        if settings.num_gpus > visible:
            raise UserError(
                f"num_gpus={settings.num_gpus}, but {_so_many(visible)} visible on this machine. "
                "Give num_gpus=auto for all that are visible, or num_gpus=0 for the CPU."
            )
        return settings.num_gpus
    wanted = outside.per_node if outside else settings.devices
    if not visible or wanted in (None, visible):
        return visible
    if outside and visible > outside.per_node:
        return outside.per_node
    who = f"{outside.by} has started {wanted} processes" if outside else f"devices={wanted}"
    raise UserError(
        f"{who}, and {_so_many(visible)} visible on this machine, each with one process. Give num_gpus={wanted} for "
        f"as many GPUs, or num_gpus=0 for {wanted} processes on the CPU."
    )


def _check_as_started(settings: DeviceSettings, gpus: int, outside: Launched) -> None:
    """Refuse numbers that contradict the processes that are there.

    Raises:
        UserError: naming each.
    """
    asked = {"num_gpus": (gpus, outside.per_node), "devices": (settings.devices, outside.per_node)}
    if settings.num_nodes != 1:
        asked["num_nodes"] = (settings.num_nodes, outside.nodes)
    wrong = [f"{name}={value}" for name, (value, there) in asked.items() if value and value != there]
    if wrong:
        raise UserError(
            f"{outside.by} has started {outside.per_node} process(es) on each of {outside.nodes} machine(s), which "
            f"{' and '.join(wrong)} contradict(s). Leave that out, for {outside.by} says it."
        )


def _so_many(gpus: int) -> str:
    return f"{gpus} GPU{'s are' if gpus != 1 else ' is'}"


def take_place(devices: Devices | None) -> None:
    """Note this process's number, by which `this_rank` goes from now on.

    Args:
        devices: the run's; None where they are not known yet, but whether this is the main process is.
    """
    rank_zero_only.rank = devices.rank if devices else 0 if is_first_process() else 1


def this_rank() -> int:
    """This process's number among those of a run on several devices; 0 is the one that writes."""
    return int(getattr(rank_zero_only, "rank", 0) or 0)


def say(line: str) -> None:
    """Print a line, in the main process of a run alone."""
    if this_rank() == 0:
        print(line)
