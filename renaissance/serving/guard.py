"""Who may ask, and what every answer says to browsers: around the application, before anything of a request is read.

A page of another site can reach a server on its reader's machine, by its address or under a name of its own that it
makes point here (DNS rebinding). So a request has to call the server by a name of its own, one that changes nothing but
computes (POST) has to come from this server's pages if a browser sends it, and where a token is asked for it has to
bear that.
"""

from __future__ import annotations

import asyncio
import hmac
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from renaissance.pages.own_hosts import names_this_machine
from renaissance.serving.errors import Refusal
from renaissance.serving.limits import SECONDS_A_SEND
from renaissance.serving.service import Access

OPEN = frozenset(("/health", "/ready"))  # no token is asked for these, nor for the page's own files
ASKING = ("/predict", "/caption", "/embed", "/zeroshot", "/search", "/attributions", "/info", "/models", "/metrics",
          "/docs", "/openapi.json")  # fmt: skip
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
NAMES = frozenset(name for name, _ in HEADERS)


class Guard:
    """An application that answers those alone who may ask.

    Args:
        app: what answers.
        access: who may ask.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._token = None if access.token is None else access.token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        try:
            if refusal is not None:
                await refusal.response()(scope, receive, _dressed(send))
            else:
                await self._app(scope, receive, _dressed(send))
        except _TooSlow:
            return  # the server ends the connection

    def _refusal(self, scope: Scope) -> Refusal | None:
        """Why a request is not answered; None where it is."""
        headers = {}
        for name, value in scope["headers"]:
            if name in (b"host", b"origin", b"authorization"):
                if name in headers:
                    return Refusal(400, f"The header {name.decode()} comes twice.")
                headers[name] = value
        host = headers.get(b"host", b"").decode("latin-1")
        if not names_this_machine(host, self._access.hosts, self._access.private):
            return Refusal(403, "This server answers to its own names alone; the setting serve_hosts adds to them.")
        origin = headers.get(b"origin")
        if scope["method"] not in ("GET", "HEAD") and origin is not None and not _same(origin.decode("latin-1"), host):
            return Refusal(403, "This server answers to its own pages alone, and not to those of other sites.")
        if self._token is not None and _asks(scope["path"]):
            kind, _, given = headers.get(b"authorization", b"").partition(b" ")
            if kind.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self._token):
                return Refusal(401, "Send this server's token: Authorization: Bearer …")
        return None


class _TooSlow(Exception):
    """A client does not read its answer."""


def _dressed(send: Send) -> Send:
    """A `send` that adds what browsers are to be told, and gives a client up that does not read."""

    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(name, value) for name, value in message["headers"]]
            there = {name for name, _ in own}
            message = {**message, "headers": [*own, *((name, value) for name, value in HEADERS if name not in there)]}
        try:
            async with asyncio.timeout(SECONDS_A_SEND):
                await send(message)
        except TimeoutError:
            raise _TooSlow from None

    return dressed


def _same(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _asks(path: str) -> bool:
    """Whether an address asks the models, rather than for a file of the page."""
    return path.startswith(ASKING)
