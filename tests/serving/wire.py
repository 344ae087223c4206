"""A connection to a server on which any bytes can be sent, and answers read in their order."""

from __future__ import annotations

import http.client
import io
import socket
from typing import Self
from urllib.parse import urlsplit

from tests.serving.client import Answer


class Wire:
    """Closed at the end of its block; no call waits longer than ten seconds."""

    def __init__(self, url: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=10)
        self._file = _Kept(socket.SocketIO(self.socket, "r"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, data: bytes) -> Answer:
        """Send, and read one answer."""
        self.socket.sendall(data)
        return self.answer()

    def answer(self, method: str = "GET") -> Answer:
        """The next answer."""
        response = http.client.HTTPResponse(self._file, method=method)  # type: ignore[arg-type]
        response.begin()
        return Answer(response)

    def rest(self) -> bytes:
        """Everything until the server closes."""
        return self._file.read()


class _Kept(io.BufferedReader):
    """Stays open when one response has been read: the bytes of the next may be in it already."""

    def makefile(self, mode: str) -> _Kept:  # noqa: ARG002 — what `HTTPResponse` asks of a socket
        return self

    def close(self) -> None:
        pass
