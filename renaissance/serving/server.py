"""Runs the application on an address of this machine until a signal comes, and lets requests finish then."""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from renaissance.pages.listening import cannot_listen
from renaissance.serving.connection import Connection
from renaissance.serving.limits import NOTICE, SECONDS_TO_FINISH
from renaissance.stop_signals import STOP

SECONDS_KEPT = 30  # that a connection without requests is kept
SECONDS_A_TURN = 0.0002  # that a thread keeps Python while another one waits for it


class Server(uvicorn.Server):
    """A server that leaves signals to `STOP`."""

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal comes."""
        # The thread that computes gives Python up at every operation, and would get it back 5 ms later while requests
        # are being read.
        sys.setswitchinterval(SECONDS_A_TURN)
        # A full search for garbage goes through every object of the libraries, a third of a second in which nobody is
        # answered. What is there now stays to the end, and is left out of the search.
        gc.collect()
        gc.freeze()
        super().run(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Note a signal, and stop at the next tick; a second one ends at once."""
        with STOP.deferred(NOTICE):
            yield

    async def on_tick(self, counter: int) -> bool:
        if STOP.received is not None:
            self.should_exit = True
        return await super().on_tick(counter)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at an address.

    Raises:
        UserError: it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    if sys.platform != "win32":  # there it would share a port that is taken
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, UnicodeError, OverflowError) as error:
        listening.close()
        advice = "Another server may be running there: give"
        raise cannot_listen(error, host, port, settings="", advice=advice) from error
    listening.set_inheritable(True)
    return listening


def config_of(app: ASGIApp) -> uvicorn.Config:
    """How uvicorn runs an application: quietly, and with deadlines."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=SECONDS_KEPT,
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
    )
