"""The body of an inference request, read up to a limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from serving.reference.errors import RequestError

MAX_DIGITS = 18  # Python itself refuses to read numbers of thousands of digits

RawHeaders = Iterable[tuple[bytes, bytes]]


async def read(headers: RawHeaders, receive: Callable[[], Awaitable[dict[str, Any]]], limit_bytes: int) -> bytearray:
    """The whole body; raises `RequestError` (411, 413, 415, or 400 where the client went away in the middle).

    A bytearray, because arrays viewed in it are then writable, which torch insists on for sharing memory.
    """
    found = dict(headers)
    if found.get(b"content-encoding", b"identity") != b"identity":
        raise RequestError(415, "compressed bodies are not supported")
    if b"content-length" in found:
        if int(found[b"content-length"]) > limit_bytes:  # the HTTP parser let only digits through
            raise _too_large(limit_bytes)
    elif b"transfer-encoding" not in found:
        raise RequestError(411, "a request without Content-Length has no body; an inference request needs one")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError(400, "the client went away in the middle of its request")
        body += message["body"]
        if len(body) > limit_bytes:
            raise _too_large(limit_bytes)
        if not message["more_body"]:
            return body


def header_length(headers: RawHeaders) -> int | None:
    """The length of the JSON before binary tensors, in bytes; None where all of the body is JSON."""
    value = dict(headers).get(b"inference-header-content-length")
    if value is None:
        return None
    if not value.isdigit() or len(value) > MAX_DIGITS:
        raise RequestError(
            400, f"Inference-Header-Content-Length must be a number of bytes, not {value.decode('latin-1')!r}"
        )
    return int(value)


def _too_large(limit_bytes: int) -> RequestError:
    return RequestError(413, f"the body is larger than {limit_bytes} bytes")
