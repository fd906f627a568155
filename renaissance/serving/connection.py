"""Connections of clients that may be slow or hostile: heads of requests have a deadline and a size, and few are open.

The server (uvicorn) waits for a head for ever, whatever its size; a body's bounds are `body.py`'s. What is no HTTP gets
an error in the one form of `errors.py`.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from renaissance.serving.errors import Refusal
from renaissance.serving.limits import MOST_CONNECTIONS, MOST_HEAD, SECONDS_A_HEAD

TOO_LARGE = Refusal(431, f"The head of a request may have {MOST_HEAD:,} bytes.")
NO_HTTP = Refusal(400, "This is no HTTP request that can be read.")


class Connection(HttpToolsProtocol):
    """A connection."""

    _deadline: asyncio.TimerHandle | None = None
    _unread = 0  # bytes since a head was whole, or a part of a body came
    _head = 0  # bytes of the head that is being read, as far as it is known; it may come with other ones at once

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.close()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        self._unread += len(data)
        super().data_received(data)
        if self._unread > MOST_HEAD and not self.transport.is_closing():
            self._refuse(TOO_LARGE)

    def on_message_begin(self) -> None:
        self._head = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def _count(self, size: int) -> None:
        """Take in bytes of a head. Raises ValueError, at which the parser stops (`send_400_response`): too many."""
        self._head += size
        if self._head > MOST_HEAD:
            raise ValueError(TOO_LARGE.message)

    def on_headers_complete(self) -> None:
        self._unread = 0
        self._head_is_there()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        self._refuse(TOO_LARGE if self._head > MOST_HEAD else NO_HTTP)

    def _refuse(self, refusal: Refusal) -> None:
        """Answer before there is a request, and end the connection."""
        response = refusal.response()
        headers = [*self.server_state.default_headers, *response.raw_headers, (b"connection", b"close")]
        lines = [b"%b: %b\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[refusal.status], *lines, b"\r\n", response.body]))
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(SECONDS_A_HEAD, self.transport.close)

    def _head_is_there(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
