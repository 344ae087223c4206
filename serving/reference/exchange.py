"""What the HTTP connection and the routes say to each other: one request, and its reply, at once or later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from serving.reference.errors import REFUSALS, RequestError
from serving.reference.job import Job

JSON = b"content-type: application/json\r\n"
READ = (b"GET", b"HEAD")
_STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
ALIGNED = 16
"""Bytes; what memory of its own begins on, and more than any datatype asks for."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a request for inference asks for in its head."""

    model: str
    version: str
    """Empty: the newest."""
    json_bytes: int | None
    """Of the body, before binary tensors; None: all of it."""


@dataclass(slots=True, eq=False)
class Head:
    """What a request says before its body. Requests with the same head share it, and what is found out about it."""

    method: bytes
    path: str
    headers: Mapping[bytes, bytes]
    """Names are in lower case."""
    keep_alive: bool
    length: int
    """Of the body as announced, in bytes; 0 where nothing is."""
    pad: int = 0
    """So many bytes before the body put the binary tensors behind its JSON on a multiple of `ALIGNED` bytes."""
    target: Target | None = None
    """Found out by the routes; None before, and for what is no inference."""

    def only(self, *methods: bytes) -> None:
        """Raise `RequestError` (405) for another method."""
        if self.method not in methods:
            allowed = b", ".join(methods).decode()
            reason = f"method {self.method.decode()} is not allowed here; allowed: {allowed}"
            raise RequestError(405, reason, {"allow": allowed})


@dataclass(slots=True, eq=False)
class Exchange:
    """One whole request; arrays may be views of the body."""

    head: Head
    body: memoryview


Reply = tuple[int, bytes, list[bytes | memoryview], int]
"""Status, the lines of the head up to the empty one, the parts of the body, and their length in bytes."""


Coming = Job | asyncio.Future[Any]


@dataclass(slots=True)
class Pending:
    """A reply to come: `encode` makes it of what `answer` holds then, on the event loop."""

    answer: Coming
    encode: Callable[[Any], Reply]


def reply(status: int, headers: bytes, body: list[bytes | memoryview]) -> Reply:
    """What goes out with these header lines."""
    length = sum(map(len, body))
    return status, b"%b%bcontent-length: %d\r\n" % (_STATUS[status], headers, length), body, length


def page(document: object) -> Reply:
    """A JSON document with status 200."""
    return reply(200, JSON, [orjson.dumps(document)])


def refusal(error: RequestError) -> Reply:
    """The error as the protocols want it: its status, and one line in JSON."""
    REFUSALS["http", str(error.status)] += 1
    headers = b"".join(f"{name}: {value}\r\n".encode() for name, value in error.headers.items())
    return reply(error.status, JSON + headers, [orjson.dumps({"error": error.reason})])
