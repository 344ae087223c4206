"""An HTTP request, as a protocol's codec makes it and a client sends it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """A POST: path, headers (without Host and Content-Length, the client's business) and body."""

    path: str
    headers: dict[str, str]
    body: bytes
