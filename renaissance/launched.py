"""What launched this process says of it: the variables of torchrun, of SLURM, and those of a run's own processes.

Comes in: the environment. Goes out: whether this process is the one that records and prints, and how many processes
there are where something else than the run started them. Imports nothing that takes time: run.py asks here first.

Sources: https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables and
https://slurm.schedmd.com/srun.html#SECTION_OUTPUT-ENVIRONMENT-VARIABLES
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from renaissance.errors import UserError

# Of torchrun, of a run's own processes and of whoever starts one on each machine by hand, and of SLURM.
RANK_VARIABLES = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
BY_HAND = ("bash", "interactive")  # names of SLURM's jobs in which somebody starts processes themselves


@dataclass(frozen=True)
class Launched:
    """A process among those that were started from outside.

    Attributes:
        by: what started them, in words.
        rank: its number among all of them.
        local_rank: its number among those on its machine.
        per_node: processes on each machine.
        nodes: machines.
    """

    by: str
    rank: int
    local_rank: int
    per_node: int
    nodes: int


def is_first_process() -> bool:
    """Whether this is the one process of a run that records and prints."""
    return all(os.environ.get(name, "0") in ("", "0") for name in RANK_VARIABLES)


def launched() -> Launched | None:
    """What torchrun or SLURM say of this process; None where a run starts its processes itself.

    Under SLURM with one task there is nothing that SLURM has started beside this process, so it is None there too.

    Raises:
        UserError: a variable is no number, or the machines have different numbers of processes.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return _launched("torchrun", "RANK", "LOCAL_RANK", _number("WORLD_SIZE"), _number("LOCAL_WORLD_SIZE"))
    tasks = os.environ.get("SLURM_NTASKS", "1")
    if tasks == "1" or os.environ.get("SLURM_JOB_NAME") in BY_HAND:
        return None
    world, nodes = _number("SLURM_NTASKS"), _number("SLURM_NNODES", "1")
    return _launched("SLURM", "SLURM_PROCID", "SLURM_LOCALID", world, -(-world // nodes))


def _launched(by: str, rank: str, local_rank: str, world: int, per_node: int) -> Launched:
    if world % per_node:
        raise UserError(
            f"{by} has started {world} processes, and {per_node} of them on this machine: each machine must have as "
            "many as the others."
        )
    return Launched(by, _number(rank), _number(local_rank), per_node, world // per_node)


def _number(name: str, missing: str | None = None) -> int:
    """The value of a variable.

    Raises:
        UserError: it is missing, or no number.
    """
    value = os.environ.get(name, missing)
    if value is None or not value.isdecimal():
        raise UserError(f"The environment variable {name} should be a number and is {value!r}.")
    return int(value)


def own_rank(per_node: int) -> int:
    """This process's number among those that the run itself starts, on machines that NODE_RANK counts.

    Args:
        per_node: processes on each machine.
    """
    return _number("NODE_RANK", "0") * per_node + own_local_rank()


def own_local_rank() -> int:
    """This process's number among those that the run itself starts on this machine."""
    return _number("LOCAL_RANK", "0")
