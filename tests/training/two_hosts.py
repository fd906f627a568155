"""Two hosts on one machine: network namespaces with a cable between them, which can be cut.

Needs root, and a kernel that lets it: `needs_hosts` skips a test with the reason where that is not so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

ADDRESSES = ("10.231.0.1", "10.231.0.2")


class Hosts:
    """The two hosts.

    Args:
        name: begins the names of the namespaces.
    """

    def __init__(self, name: str) -> None:
        self._spaces = (f"{name}a", f"{name}b")

    def command(self, host: int, *words: str) -> list[str]:
        """A command line that runs on a host."""
        return ["ip", "netns", "exec", self._spaces[host], *words]

    def environment(self, host: int, port: int) -> dict[str, str]:
        """What a run's process on a host is told of the network, by hand as without torchrun."""
        return {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": f"{self._spaces[host]}0",
                "MASTER_ADDR": ADDRESSES[0], "MASTER_PORT": str(port), "NODE_RANK": str(host)}  # fmt: skip

    def cut(self) -> None:
        """Take the cable out: nothing arrives any more, and nobody is told."""
        _ip(*self.command(1, "ip", "link", "set", f"{self._spaces[1]}0", "down")[1:])

    def make(self) -> None:
        """Set the hosts up, with a cable between them."""
        first, second = (f"{space}0" for space in self._spaces)
        for space in self._spaces:
            _ip("netns", "add", space)
        _ip("link", "add", first, "type", "veth", "peer", "name", second)
        for space, device, address in zip(self._spaces, (first, second), ADDRESSES, strict=True):
            _ip("link", "set", device, "netns", space)
            _ip("-n", space, "address", "add", f"{address}/24", "dev", device)
            _ip("-n", space, "link", "set", device, "up")
            _ip("-n", space, "link", "set", "lo", "up")

    def remove(self) -> None:
        """Take everything away again, whatever there is of it."""
        for space in self._spaces:
            subprocess.run(["ip", "netns", "delete", space], check=False, capture_output=True)


@contextmanager
def two_hosts() -> Iterator[Hosts]:
    """Two hosts while the block runs; the test is skipped with the reason where there can be none."""
    hosts = Hosts(f"rn{os.getpid() % 100_000}")
    if shutil.which("ip") is None:
        pytest.skip("there is no `ip` to make network namespaces with")
    try:
        hosts.make()
    except subprocess.CalledProcessError as error:
        hosts.remove()
        pytest.skip(f"network namespaces cannot be made here: {error.stderr.strip()}")
    try:
        yield hosts
    finally:
        hosts.remove()


def _ip(*words: str) -> None:
    run(["ip", *words])


def run(words: Sequence[str]) -> None:
    """Run a command to its end; an error has what it said."""
    subprocess.run(list(words), check=True, capture_output=True, text=True)
