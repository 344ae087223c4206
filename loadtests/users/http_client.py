"""HTTP requests that were encoded once, over connections of our own."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from loadtests.recorder import Recorder
from loadtests.request import Request
from loadtests.users.answer import Sink
from loadtests.users.connections import Connections


class HttpClient:
    """The `Client` of HTTP."""

    def __init__(self, url: str, requests: Sequence[Request], recorder: Recorder, sink: Sink) -> None:
        parts = urlsplit(url)
        self._connections = Connections(parts.hostname or "", parts.port or 80, recorder, sink)
        self._wire = [_encode(request, parts.netloc) for request in requests]

    def open(self, count: int) -> None:
        """Open so many connections."""
        self._connections.open(count)

    def send(self, payload: int, row: int) -> None:
        """Send request `payload` on a connection that has nothing else to do."""
        self._connections.send(row, self._wire[payload])

    def close(self) -> None:
        """Close the connections; what waits for one is not sent any more."""
        self._connections.close()


def _encode(request: Request, host: str) -> bytes:
    lines = [f"POST {request.path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    lines += [f"Content-Length: {len(request.body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + request.body
