"""A small HTTP server for pages of one's own machine: reads only, and holds against whoever else can reach it.

It answers GET alone, and only to requests that name this machine as their host: a page of another site that has made
its own name point here (DNS rebinding) gets nothing. What is answered is up to a function. Each connection has a thread
and a deadline, so a client that is slow or says nothing keeps nobody waiting, and no more than MOST_CONNECTIONS are
open at once. https://docs.python.org/3/library/http.server.html
"""

from __future__ import annotations

import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from renaissance.pages.listening import address_of, cannot_listen, is_private
from renaissance.pages.own_hosts import names_this_machine

MOST_CONNECTIONS = 48
SECONDS_A_READ = 10.0  # that a client may say nothing
SECONDS_A_CONNECTION = 60.0  # that a client may take in all
LONGEST_ADDRESS = 4000  # characters
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "frame-ancestors 'none'",  # pages have their own, which names their script, within
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Answer:
    """What a request gets.

    Attributes:
        content: the body.
        kind: its media type.
        status: 200 where all is well.
        headers: more of them.
    """

    content: bytes
    kind: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        path: such as "/api/runs".
        query: the values behind it, by name, the last of each.
        known: what the client has already, as an earlier answer's "ETag" called it; may be empty.
    """

    path: str
    query: Mapping[str, str]
    known: str


Answerer = Callable[[Request], Answer | None]
"""Answers a request; None where there is nothing of that name."""


class PageServer(ThreadingHTTPServer):
    """Serves what a function answers.

    Args:
        host: address to listen at.
        port: port to listen at; 0 takes one that is free.
        answer: answers requests, from several threads at once.

    Raises:
        UserError: it cannot listen there.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    allow_reuse_address = sys.platform != "win32"  # there it would share a port that is taken

    def __init__(self, host: str, port: int, answer: Answerer) -> None:
        self.answer = answer
        self._open: dict[Any, float] = {}  # connections, with the time by which each has to end
        self._lock = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except (OSError, UnicodeError) as error:
            advice = "Another dashboard may be running there: look at it, or give"
            raise cannot_listen(error, host, port, settings="dashboard_", advice=advice) from error
        self.hosts = {host.lower(), "localhost", socket.gethostname().lower()}

    def server_bind(self) -> None:
        """Bind as a plain TCP server: HTTPServer's own asks the network for the machine's full name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(self.allow_reuse_address))
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    @property
    def address(self) -> str:
        """The address to open in a browser on this machine."""
        return address_of(self.server_name, self.server_port)

    @property
    def is_private(self) -> bool:
        """Whether only this machine can reach it."""
        return is_private(self.server_name)

    def knows_host(self, header: str | None) -> bool:
        """Whether a request's Host names this machine; see `own_hosts.py`."""
        return names_this_machine(header, self.hosts, self.is_private)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection its thread, if there are not too many."""
        now = time.monotonic()
        with self._lock:
            full = len(self._open) >= MOST_CONNECTIONS
            if not full:
                self._open[request] = now + SECONDS_A_CONNECTION
        if full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Twice a second: end connections whose time is over."""
        now = time.monotonic()
        with self._lock:
            late = [request for request, end in self._open.items() if end < now]
        for request in late:
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away; anything else is a fault of ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    timeout = SECONDS_A_READ
    server_version = "Renaissance"
    sys_version = ""

    def do_GET(self) -> None:
        if not self.server.knows_host(self.headers.get("Host")):
            self._send(Answer(b"This server answers to this machine's own names alone.\n", "text/plain", 403))
            return
        if len(self.path) > LONGEST_ADDRESS:
            self._send(Answer(b"Too long an address.\n", "text/plain", 414))
            return
        try:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query, max_num_fields=20).items()}
        except ValueError:
            self.send_error(400)
            return
        try:
            answer = self.server.answer(Request(parts.path, query, self.headers.get("If-None-Match", "")))
        except Exception:
            traceback.print_exc()
            answer = Answer(b"This could not be answered; the server's terminal says why.\n", "text/plain", 500)
        self._send(answer or Answer(b"There is nothing of this name.\n", "text/plain", 404))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request that is not understood, or has another method than GET."""
        status = 405 if code == 501 else code
        self._send(Answer(b"Refused.\n", "text/plain", status, {"Allow": "GET"} if status == 405 else {}))

    def _send(self, answer: Answer) -> None:
        self.close_connection = True
        self.send_response(answer.status)
        for name, value in {
            "Content-Type": f"{answer.kind}; charset=utf-8" if answer.kind.startswith("text/") else answer.kind,
            "Content-Length": str(len(answer.content)),
            **SAFE_HEADERS,
            **answer.headers,
            "Connection": "close",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *args: Any) -> None:
        """Nothing: the terminal is for what a person has to know."""
