"""What the HTTP connection and the routes say to each other: one request, and its reply, at once or later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from serving.reference.errors import RequestError

Headers = list[tuple[bytes, bytes]]

JSON: Headers = [(b"content-type", b"application/json")]
READ = (b"GET", b"HEAD")


@dataclass(slots=True)
class Exchange:
    """One whole request. Header names are in lower case; arrays may be views of the body."""

    method: bytes
    path: str
    headers: dict[bytes, bytes]
    body: memoryview
    keep_alive: bool

    def only(self, *methods: bytes) -> None:
        """Raise `RequestError` (405) for another method."""
        if self.method not in methods:
            allowed = b", ".join(methods).decode()
            reason = f"method {self.method.decode()} is not allowed here; allowed: {allowed}"
            raise RequestError(405, reason, {"allow": allowed})


Reply = tuple[int, Headers, list[bytes | memoryview]]
"""Status, headers without the length, and the parts of the body."""


@dataclass(slots=True)
class Pending:
    """A reply to come: `encode` makes it of what `answer` holds then, on the event loop."""

    answer: asyncio.Future[Any]
    encode: Callable[[Any], Reply]


def page(document: object) -> Reply:
    """A JSON document with status 200."""
    return 200, JSON, [orjson.dumps(document)]


def refusal(error: RequestError) -> Reply:
    """The error as the protocols want it: its status, and one line in JSON."""
    headers = [(name.encode(), value.encode()) for name, value in error.headers.items()]
    return error.status, [*JSON, *headers], [orjson.dumps({"error": error.reason})]
