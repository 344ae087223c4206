"""Clients that ask as fast as they are answered, and tell what became of every request they wrote."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Self
from urllib.parse import urlsplit

LOST = 0


def encode(model: str, rows: int = 1) -> bytes:
    """A request to the tiny model or one like it, as it goes over the wire."""
    tensor = {"name": "x", "shape": [rows, 4], "datatype": "FP32", "data": [0.5] * 4 * rows}
    body = json.dumps({"inputs": [tensor]}).encode()
    head = f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=20)


@dataclass(frozen=True)
class Answer:
    """What came back; `status` is `LOST` where a request was written to an open connection and nothing came."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    elapsed_s: float = 0.0

    @property
    def closes(self) -> bool:
        return self.status == LOST or self.headers.get("connection") == "close"

    @property
    def version(self) -> int:
        return int(json.loads(self.body)["model_version"])


def read(stream: IO[bytes], begun: float = 0.0) -> Answer:
    """The next answer of a connection, of which several may be on their way."""
    try:
        status = int(stream.readline().split()[1])
        lines = iter(stream.readline, b"\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.decode().partition(":") for line in lines)}
        length = int(headers["content-length"])
        body = stream.read(length)
    except (OSError, IndexError, KeyError):
        return Answer(LOST)
    elapsed_s = time.perf_counter() - begun
    return Answer(status if len(body) == length else LOST, headers, body, elapsed_s)


class Clients:
    """`connections` threads, each with a connection of its own, from entering to leaving, or until nobody answers."""

    def __init__(
        self,
        url: str,
        request: bytes,
        connections: int,
        *,
        pipelined: int = 1,
        pause_s: float = 0.0,
        anew: bool = False,
    ) -> None:
        """`pipelined` requests are written at once; with `anew` every one gets a connection of its own."""
        self._url = url
        self._wire = request * pipelined
        self._pipelined = pipelined
        self._pause_s = pause_s
        self._anew = anew
        self._stopped = threading.Event()
        self.by_client: list[list[Answer]] = [[] for _ in range(connections)]
        self._threads = [threading.Thread(target=self._run, args=(each,)) for each in self.by_client]

    @property
    def answers(self) -> list[Answer]:
        """Of all clients."""
        return [answer for answers in self.by_client for answer in answers]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self.join()

    def join(self) -> None:
        """Wait until all clients have ended: they do when they are refused a connection."""
        for thread in self._threads:
            thread.join()

    def _run(self, answers: list[Answer]) -> None:
        while not self._stopped.is_set():
            try:
                connection = connect(self._url)
            except OSError:
                return  # refused is not lost
            with connection, connection.makefile("rb") as stream:
                self._converse(connection, stream, answers)

    def _converse(self, connection: socket.socket, stream: IO[bytes], answers: list[Answer]) -> None:
        while not self._stopped.is_set() and not ended(connection):
            begun = time.perf_counter()
            try:
                connection.sendall(self._wire)
            except OSError:
                answers.append(Answer(LOST))
                return
            for _ in range(self._pipelined):
                answers.append(read(stream, begun))
            if answers[-1].closes or self._anew:
                return
            self._stopped.wait(self._pause_s)


def ended(connection: socket.socket) -> bool:
    """Whether the server has closed the connection."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))  # nothing else comes unasked
