"""A request's body, read whole within bounds of size and time, and what its JSON or its form holds.

A client that sends slowly, or half of what it announced, holds nothing but its own connection, and not for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from renaissance.serving.errors import Refusal
from renaissance.serving.limits import BODIES_AT_ONCE, SECONDS_A_BODY, Limits
from renaissance.serving.values import json_kind

SMALL = 65_536  # bytes that are parsed at once; more would keep others waiting, and goes to a thread
JSON, FORM = "application/json", "multipart/form-data"
Part = tuple[str, str | bytes]  # a part of a form: its name, and a text or a file


class Bodies:
    """Reads bodies, and knows how much of them is held.

    Args:
        limits: what is allowed.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncGenerator[bytes, None]:
        """The whole body, which counts as held within the block.

        Raises:
            Refusal: it is too large, takes too long, is cut off, or too much is held already.
        """
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and len(announced) < 20 and int(announced) > self._limits.body:
            raise self._too_large()
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(SECONDS_A_BODY):
                async for chunk in request.stream():
                    size += len(chunk)
                    self._held += len(chunk)
                    if size > self._limits.body:
                        raise self._too_large()
                    if self._held > BODIES_AT_ONCE * self._limits.body:
                        raise Refusal(503, "The server holds too many requests; come again soon.", retry_after=1)
                    chunks.append(chunk)
            yield chunks[0] if len(chunks) == 1 else b"".join(chunks)
        except TimeoutError:
            raise Refusal(408, f"The request's body took longer than {SECONDS_A_BODY:.0f} seconds.") from None
        except ClientDisconnect:
            raise Refusal(400, "The request's body is cut off.") from None
        finally:
            self._held -= size

    def _too_large(self) -> Refusal:
        return Refusal(413, f"The request's body is larger than {self._limits.body:,} bytes, which are allowed.")


def content_type(request: Request) -> str:
    """The media type of a body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def json_of(request: Request, body: bytes) -> Any:
    """What a JSON body holds.

    Raises:
        Refusal: it is not announced as JSON, or is none.
    """
    if content_type(request) != JSON:
        raise Refusal(415, f"Send the body as {JSON}.")
    try:
        return orjson.loads(body) if len(body) < SMALL else await asyncio.to_thread(orjson.loads, body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"The body is no JSON: {error}") from None


async def json_object_of(request: Request, body: bytes) -> dict[str, Any]:
    """The values by name of a JSON object, without those that are null.

    Raises:
        Refusal: it is none.
    """
    given = await json_of(request, body)
    if not isinstance(given, dict):
        raise Refusal(422, f"The body must be an object, not {json_kind(given)}.")
    return {name: value for name, value in given.items() if value is not None}


async def object_of(request: Request, body: bytes, limits: Limits, lists: Collection[str]) -> dict[str, Any]:
    """The values by name of a JSON object, or of a form.

    Args:
        request: whose body it is.
        body: the body.
        limits: what is allowed.
        lists: the names that have lists; a form may have several parts of them.

    Raises:
        Refusal: it is neither.
    """
    if content_type(request) != FORM:
        return await json_object_of(request, body)
    values: dict[str, Any] = {}
    for name, value in await form_of(request, body, limits):
        if name in lists:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise Refusal(422, "comes more than once", field=name[:100])
        else:
            values[name] = value
    return values


def only(values: Mapping[str, Any], known: Sequence[str]) -> None:
    """Check that there are no other values than these.

    Raises:
        Refusal: naming one.
    """
    for name in values:
        if name not in known:
            raise Refusal(422, f"There is no such field; there are {', '.join(known)}.", field=name[:100])


async def form_of(request: Request, body: bytes, limits: Limits) -> list[Part]:
    """The parts of a form, in their order; its names and texts are UTF-8.

    Raises:
        Refusal: it is none, is cut off, has too many parts, or is written in another encoding.
    """

    async def stream() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(body), SMALL):
            yield body[start : start + SMALL]
            await asyncio.sleep(0)

    most = 4 * limits.examples  # an example has no more fields
    headers = _read_as_bytes(request.headers)
    parser = _WholeForm(headers, stream(), max_files=most, max_fields=most, max_part_size=limits.body)
    parts: list[Part] = []
    try:
        form = await parser.parse()
        for name, value in form.multi_items():
            parts.append((_utf8(name), await value.read() if isinstance(value, UploadFile) else _utf8(value)))
        await form.close()
        if not parser.ended:
            raise MultiPartException("it is cut off: the boundary that ends it is missing")
    except UnicodeDecodeError:
        raise Refusal(400, "The form cannot be read: its names and texts must be UTF-8") from None
    except (MultiPartException, KeyError, ValueError) as error:
        reason = error.message if isinstance(error, MultiPartException) else "its parts are not understood"
        raise Refusal(400, f"The form cannot be read: {reason}") from None
    return parts


class _WholeForm(MultiPartParser):
    """Starlette's parser, which would take a form without its end for a shorter one."""

    ended = False

    def on_end(self) -> None:
        self.ended = True


def _read_as_bytes(headers: Headers) -> Headers:
    """The headers of a form that let Starlette give its texts byte by byte (latin-1).

    In UTF-8 it would take bytes that are none for latin-1, without a word; in an encoding of the sender's choice a text
    may even come out as what is no text.

    Raises:
        Refusal: it is announced as anything but UTF-8.
    """
    _, options = parse_options_header(headers["content-type"])
    if options.get(b"charset", b"utf-8").lower().replace(b"-", b"") != b"utf8":
        raise Refusal(415, "Send the form in UTF-8.")
    boundary = options.get(b"boundary", b"")
    if not boundary or b'"' in boundary or b"\\" in boundary:
        raise Refusal(400, "The form cannot be read: its header names no boundary, or none that can be used")
    quoted = b'multipart/form-data; charset=latin-1; boundary="' + boundary + b'"'
    return Headers(raw=[(b"content-type", quoted)])


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode("utf-8")
