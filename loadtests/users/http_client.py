"""Sending requests that were encoded once, on geventhttpclient's response parser and our own connections."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError, HTTPSocketResponse

from loadtests.recorder import Recorder
from loadtests.request import Request
from loadtests.users.connections import Connections

READ_BYTES = 65536


class Failed(Exception):
    """No right answer; `kind` is that of `loadtests.block.ErrorKind`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """Sends request `payload` as row `row` of the recorder.

    geventhttpclient's `HTTPClient.request` builds and checks the same headers for every request, and does not tell when
    it had a connection; its parser is all that is needed here.
    """

    def __init__(self, url: str, requests: Sequence[Request]) -> None:
        parts = urlsplit(url)
        self._connections = Connections(parts.hostname or "", parts.port or 80)
        self._wire = [_encode(request, parts.netloc) for request in requests]

    def open(self, connections: int) -> None:
        """Open so many connections before the block starts."""
        self._connections.open(connections)

    def close(self) -> None:
        """Close the connections; requests still waiting for one are not sent any more."""
        self._connections.close()

    def exchange(self, payload: int, recorder: Recorder, row: int) -> Answer:
        """Send and wait for the whole answer; sent and end times are recorded. Raises `Failed`."""
        try:
            connection = self._connections.acquire()
        except OSError as exc:
            raise Failed("refused", f"cannot connect: {exc}") from exc
        reusable = False
        try:
            recorder.sent[row] = time.perf_counter()
            connection.sendall(self._wire[payload])
            response = HTTPSocketResponse(connection, READ_BYTES, "POST")
            body = response.read()
            recorder.end[row] = time.perf_counter()
            reusable = not response.should_close()
        except OSError as exc:
            raise Failed("closed", f"the connection broke: {exc}") from exc
        except HTTPConnectionClosed as exc:
            raise Failed("closed", "the server closed the connection instead of answering") from exc
        except HTTPParseError as exc:
            raise Failed("malformed", f"the answer broke off or is not HTTP: {exc}") from exc
        finally:
            if reusable:
                self._connections.release(connection)
            else:
                self._connections.discard(connection)
        return Answer(response.status_code, response.info(), body)


def _encode(request: Request, host: str) -> bytes:
    lines = [f"POST {request.path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    lines += [f"Content-Length: {len(request.body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + request.body
