"""The processes of a run become one: started, joined, watched, and ended together.

Comes in: the devices. Goes out: a context in which every process of the run is there. Where nothing else has started
them, the main process of each machine starts the others of that machine with its own command line, as Lightning's
launcher does; Lightning finds all of them joined and only takes part.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import timedelta

import torch
from lightning_fabric.plugins.environments.lightning import find_free_network_port
from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from torch.distributed.rendezvous import rendezvous

from renaissance.enter import signal_at_parents_end
from renaissance.errors import UserError
from renaissance.processes import children_unsignalled, entering, usable_cores
from renaissance.stop_signals import STOP, leave
from renaissance.training.devices import Devices
from renaissance.training.peers import Peers, Watched
from renaissance.training.stores import opened_store

JOINING = timedelta(minutes=10)  # for processes whose data are prepared at different speeds
# For one to wait for another that is at work: the main process alone draws sheets, and writes. That another is alive
# at all is watched apart (`peers.py`), and at shorter intervals.
WAITING = timedelta(hours=1)
LOOK_SECONDS = 0.2  # between two looks for a signal, while the others are waited for
ENDING_SECONDS = 10.0  # for processes that this one has started, when it has ended its own work
STARTED_BY = "RENAISSANCE_STARTED_BY"  # variable: the number of the process that started this one for the same run
BACKENDS = {"cpu": "gloo", "cuda": "nccl"}


@contextmanager
def joined(devices: Devices, peer_timeout: float) -> Iterator[Peers]:
    """All processes of a run, from when they have joined to when they have ended.

    Args:
        devices: the run's.
        peer_timeout: seconds without a sign of life from a process until it is given up.

    Raises:
        UserError: the processes do not find each other.
    """
    if devices.world_size == 1:
        yield Peers()
        return
    environment = cluster_environment(devices)
    children = _started(environment, devices)
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, usable_cores() // devices.per_node))
    try:
        _join(environment, devices, children)
        with Watched(devices, environment.main_address, peer_timeout) as peers:
            if STARTED_BY in os.environ:
                signal_at_parents_end(0)  # from here on it is to say that the other is gone
            yield peers
        torch.distributed.destroy_process_group()
    finally:
        _end(children)


def cluster_environment(devices: Devices) -> ClusterEnvironment:
    """What tells Lightning of the processes. SLURM's requeueing is not Lightning's to do: it would clash with ours."""
    if devices.started_by == "SLURM":
        return SLURMEnvironment(auto_requeue=False)
    return TorchElasticEnvironment() if devices.started_by else LightningEnvironment()


def _started(environment: ClusterEnvironment, devices: Devices) -> list[subprocess.Popen[bytes]]:
    """The other processes of this machine, where this is the one that starts them."""
    if devices.started_by or "LOCAL_RANK" in os.environ:
        return []
    if devices.nodes > 1 and "MASTER_PORT" not in os.environ:
        raise UserError(
            f"num_nodes={devices.nodes}: start this command on each machine with MASTER_ADDR and MASTER_PORT, a name "
            "and a free port of the first one, and NODE_RANK, 0 for the first; or start it by torchrun or SLURM."
        )
    os.environ.setdefault("MASTER_PORT", str(find_free_network_port()))
    os.environ.update(
        MASTER_ADDR=environment.main_address,
        NODE_RANK=str(environment.node_rank()),
        LOCAL_RANK="0",
        WORLD_SIZE=str(devices.world_size),
    )
    with children_unsignalled():
        return [_start(own_command_line(), LOCAL_RANK=str(number)) for number in range(1, devices.per_node)]


def own_command_line() -> list[str]:
    """What started this process: Python's own options and the program as given, then the words of `sys.argv`.

    Those have no passwords, which `sys.orig_argv` keeps and every user of the machine could read of a process. The
    environment hands them on.
    """
    words = sys.argv[1:]
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(words)], *words]


def _start(command: Sequence[str], **variables: str) -> subprocess.Popen[bytes]:
    """Start a process that is killed when this one ends, until they have joined: it sees no other signal."""
    environment = {**os.environ, STARTED_BY: str(os.getpid()), **variables}
    return subprocess.Popen([*entering(signal.SIGKILL), *command], env=environment)


def _join(environment: ClusterEnvironment, devices: Devices, children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Make the process group that all collective work goes through.

    A signal ends this process, and the children with it.

    Raises:
        UserError: the others have not come in time.
    """
    address = f"{environment.main_address}:{environment.main_port}"
    os.environ.update(MASTER_ADDR=environment.main_address, MASTER_PORT=str(environment.main_port))
    # Not in this thread: a signal could not end it while it waits.
    with ThreadPoolExecutor(1) as waiting:
        group = waiting.submit(_process_group, devices, environment)
        while not group.done():
            wait([group], LOOK_SECONDS)
            if STOP.received is not None:
                for child in children:
                    child.kill()
                leave(128 + STOP.received)
            if os.environ.get(STARTED_BY, str(os.getppid())) != str(os.getppid()):
                leave(128 + signal.SIGTERM)  # whoever started this process is gone, and with it the run
    error = group.exception()
    if error is not None:
        raise UserError(
            f"The {devices.world_size} processes of this run do not find each other at {address}, the address of the "
            f"first ({str(error).strip().partition(chr(10))[0]}). Are all of them started, and does each reach that "
            "address? Where a machine has several networks, GLOO_SOCKET_IFNAME or NCCL_SOCKET_IFNAME names the "
            "interface."
        ) from error


def _process_group(devices: Devices, environment: ClusterEnvironment) -> None:
    rank, world_size = devices.rank, devices.world_size
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":  # torchrun keeps one, and has its port
        store, _, _ = next(rendezvous("env://", rank, world_size, timeout=JOINING))
    else:
        address, port = environment.main_address, environment.main_port
        store = opened_store(address, port, devices.nodes, rank == 0, JOINING, wait_for=world_size)
    backend = BACKENDS[devices.accelerator]
    torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=WAITING)


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """See the processes of this machine to their end, which should be at hand."""
    for child in children:
        try:
            child.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def broadcast(value: str) -> str:
    """The main process's value, on every process."""
    if not torch.distributed.is_initialized():
        return value
    values: list[str] = [value]
    torch.distributed.broadcast_object_list(values, src=0)
    return values[0]
