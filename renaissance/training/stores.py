"""The store through which the processes of a run find each other and give signs of life, kept by the first of them.

Whoever reaches its port can read and write all of it, for it asks nobody who he is. So on one machine it listens to
that machine alone. Several machines need it on their network.
"""

from __future__ import annotations

import socket
from datetime import timedelta

from torch.distributed import TCPStore  # type: ignore[attr-defined]

LOOPBACK = "127.0.0.1"


def opened_store(address: str, port: int, nodes: int, first: bool, timeout: timedelta, wait_for: int = 0) -> TCPStore:
    """A store that the first process keeps and the others join.

    Args:
        address: of the first process's machine; not asked for where there is no other.
        port: of the store; 0 for any that is free, which only the first process can ask for.
        nodes: machines of the run.
        first: whether this is the process that keeps it.
        timeout: for whatever is asked of it.
        wait_for: processes that the first one waits for; 0 for none.

    Raises:
        RuntimeError, OSError: the port is taken, or the store cannot be reached.
    """
    waiting = {"world_size": wait_for} if wait_for else {"wait_for_workers": False}
    if nodes > 1:
        return TCPStore(address, port, is_master=first, timeout=timeout, **waiting)
    if not first:
        return TCPStore(LOOPBACK, port, is_master=False, timeout=timeout, **waiting)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port))
        port = listening.getsockname()[1]
        descriptor = listening.detach()  # the store closes it
    return TCPStore(LOOPBACK, port, is_master=True, timeout=timeout, master_listen_fd=descriptor, **waiting)
