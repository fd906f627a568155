"""A MongoDB for tests: `secantusd-py` on a free port of this machine, which can be killed, stopped and started again.

`RENAISSANCE_TEST_MONGO` names another server (`mongodb://host:port`) for the tests that neither kill it nor need a
login.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

OTHER = "RENAISSANCE_TEST_MONGO"
START_SECONDS = 60.0


class MongoServer:
    """A server in a process of its own.

    Args:
        storage: the folder of its data, which stay when it is killed.
    """

    def __init__(self, storage: Path) -> None:
        self.storage = storage
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}"

    def start(self, *arguments: str) -> None:
        """Start it on its port and its data, and wait until it answers."""
        log = (self.storage.parent / "server.log").open("ab")
        program = str(Path(sys.executable).parent / "secantusd-py")
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--storage-path", str(self.storage)]
        command = [program, *where, "--standalone", "--cache-size", "64M", "--enable-test-commands", *arguments]
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        until = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self._process.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.05)

    def answers(self) -> bool:
        client: MongoClient[dict[str, Any]]
        try:
            with MongoClient(self.address, serverSelectionTimeoutMS=500, connectTimeoutMS=500) as client:
                return bool(client.admin.command("hello")["ok"])
        except Exception:
            return False

    def kill(self) -> None:
        """Kill it as a crash of its machine would, with -9."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()
        self._process = None

    def stall(self) -> None:
        """Make it answer nothing, while its connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def runs(self) -> bool:
        return self._process is not None


class OtherServer:
    """A server that somebody else runs, and that no test kills."""

    def __init__(self, address: str) -> None:
        self.address = address

    def answers(self) -> bool:
        return True


@pytest.fixture(scope="session")
def own_mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """A server of the tests' own, for those that kill it; it is started again for the next."""
    pytest.importorskip("secantus", reason="no secantusdb here, the server for tests: pip install -e '.[dev]'")
    server = MongoServer(tmp_path_factory.mktemp("mongo") / "data")
    server.start()
    yield server
    if server.runs:
        server.kill()


@pytest.fixture
def killable(own_mongo: MongoServer) -> Iterator[MongoServer]:
    """The server of the tests' own, at work, and at work again afterwards."""
    yield own_mongo
    if own_mongo.runs:
        own_mongo.go_on()
    if not own_mongo.answers():
        if own_mongo.runs:
            own_mongo.kill()
        own_mongo.start()


@pytest.fixture(scope="session")
def mongo(request: pytest.FixtureRequest) -> MongoServer | OtherServer:
    """A server at work: that of `RENAISSANCE_TEST_MONGO`, or the tests' own."""
    address = os.environ.get(OTHER)
    return OtherServer(address) if address else request.getfixturevalue("own_mongo")


@pytest.fixture
def database(mongo: MongoServer | OtherServer) -> Iterator[Database[Any]]:
    """An empty database there, gone after the test."""
    with opened(mongo.address) as database:
        yield database


@contextmanager
def opened(address: str) -> Iterator[Database[Any]]:
    """An empty database on a server, gone afterwards where the server still answers."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with MongoClient[Any](address, serverSelectionTimeoutMS=3000) as client:
        yield client[name]
        client.drop_database(name)


@contextmanager
def failing(client: MongoClient[Any], *commands: str, code: int = 14031, times: int | None = None) -> Iterator[None]:
    """While the block runs the server answers these commands with an error, by default that its disk is full."""
    mode: Any = "alwaysOn" if times is None else {"times": times}
    data = {"failCommands": list(commands), "errorCode": code}
    client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
