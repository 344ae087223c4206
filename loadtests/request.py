"""A request, as a protocol's codec makes it and a client sends it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """An HTTP POST: path, headers (without Host and Content-Length, the client's business) and body.

    Or a unary gRPC call: the method's path (`/package.Service/Method`), metadata, and the serialized message.
    """

    path: str
    headers: dict[str, str]
    body: bytes
