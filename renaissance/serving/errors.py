"""What a request that cannot be answered gets: a status and one JSON form, `{"error": {"message": …}}`.

Messages are made here or checked values' own; nothing of files, folders or tracebacks gets out.
"""

from __future__ import annotations

from typing import Any, Self

import orjson
from starlette.responses import Response

from renaissance.errors import ExampleError


class Refusal(Exception):
    """A request is not answered.

    Args:
        status: of HTTP, 4xx or 503.
        message: what was wrong, and what to do.
        example: the place of the example at fault, from 0; None where it is none of them.
        field: its field at fault.
        retry_after: seconds after which to come again; None where that helps nothing.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        example: int | None = None,
        field: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.example = example
        self.field = field
        self.retry_after = retry_after

    @classmethod
    def of_example(cls, error: ExampleError, example: int | None) -> Self:
        """What a request gets for an example at fault.

        Args:
            error: the fault.
            example: its place in the request; None where that has no examples.
        """
        return cls(422, error.reason, example=example, field=error.field)

    def response(self) -> Response:
        """The answer over HTTP."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return json_response({"error": self.plain()}, self.status, headers)

    def plain(self) -> dict[str, Any]:
        """What is said of the fault, fit for JSON."""
        told = {"message": self.message, "example": self.example, "field": self.field}
        return {name: value for name, value in told.items() if value is not None}


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer; numbers that are not finite are null."""
    return Response(orjson.dumps(value), status, headers, "application/json")
