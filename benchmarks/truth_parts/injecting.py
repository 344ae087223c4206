"""A server that answers after a known time, and says what that time really was: `python -m ….injecting MODE SEED`.

It prints its port, and echoes over oip-http. Modes: the names of `delays.BY_NAME`, where requests do not wait for each
other; `one worker`, which serves them strictly one after another, 5 ms each; and `at once`.

The truth is what a client on the other end cannot but see: from the arrival of the request's last segment, stamped by
the kernel (SO_TIMESTAMPNS), to the instant the answer is written. A request that waits in the socket while this program
sleeps is late by that much in no figure, since its answer is due from its arrival; and the last 1.5 ms before an answer
is due are spun through, since a sleep wakes up late. `GET /truth` tells these times since it was last asked.
"""

from __future__ import annotations

import heapq
import json
import re
import select
import socket
import struct
import sys
import time
from typing import NamedTuple

import numpy as np

from benchmarks.truth_parts import delays

ONE_WORKER, AT_ONCE = "one worker", "at once"
SERVICE_NS = 5_000_000
SO_TIMESTAMPNS = 35
"""Of asm-generic/socket.h; the module socket has no name for it."""
SPIN_NS = 1_500_000
DRAWN = 1_000_000
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SPLIT = re.compile(rb"\r\ninference-header-content-length: *(\d+)", re.IGNORECASE)


class Connection:
    """One client, which sends its next request when the last one was answered."""

    def __init__(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket = accepted
        self._buffer = b""

    def read(self) -> tuple[int, bytes] | None:
        """(arrival in ns of the clock, the request), None where more is to come; `ConnectionError` at its end."""
        data, ancillary, _, _ = self.socket.recvmsg(1 << 16, 64)
        if not data:
            raise ConnectionError
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        announced = _LENGTH.search(self._buffer, 0, end + 2)
        if len(self._buffer) < end + 4 + (int(announced[1]) if announced else 0):
            return None
        request, self._buffer = self._buffer, b""
        if not ancillary:  # of a socket's first packets: the kernel takes a moment to begin stamping
            return time.time_ns(), request
        seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
        return seconds * 1_000_000_000 + nanoseconds, request


class Pending(NamedTuple):
    """An answer that is due, and then the next after it."""

    due_ns: int
    """Of one worker: since when it waits."""
    number: int
    arrival_ns: int
    descriptor: int
    answer: bytes


class Server:
    """All connections, and the answers that are due."""

    def __init__(self, mode: str, seed: int) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._one_worker = mode == ONE_WORKER
        even = np.random.default_rng(seed).random(DRAWN)
        drawn_s = delays.BY_NAME[mode].draw(even) if mode in delays.BY_NAME else np.zeros(DRAWN)
        self._delays_ns: list[int] = np.rint(drawn_s * 1e9).astype(np.int64).tolist()
        self._epoll = select.epoll()
        self._epoll.register(self.listening.fileno(), select.EPOLLIN)
        self._connections: dict[int, Connection] = {}
        self._pending: list[Pending] = []
        """A heap."""
        self._number = 0
        self._free_ns = 0
        self._truth: list[tuple[int, int]] = []
        """(ns from arrival to answer, ns of service)"""

    def serve(self) -> None:
        """Until killed."""
        while True:
            for descriptor, _ in self._epoll.poll(self._patience_s()):
                if descriptor == self.listening.fileno():
                    self._accept()
                else:
                    self._read(self._connections[descriptor])
            while self._pending and self._next_ns() <= time.time_ns():
                self._answer(heapq.heappop(self._pending))

    def _next_ns(self) -> int:
        due_ns = self._pending[0].due_ns
        return max(due_ns, self._free_ns) + SERVICE_NS if self._one_worker else due_ns

    def _patience_s(self) -> float:
        """None may be due before; poll() rounds up to a millisecond, so the rest is spun through."""
        if not self._pending:
            return -1
        return max(0, self._next_ns() - time.time_ns() - SPIN_NS) // 1_000_000 / 1e3

    def _accept(self) -> None:
        connection = Connection(self.listening.accept()[0])
        self._connections[connection.socket.fileno()] = connection
        self._epoll.register(connection.socket.fileno(), select.EPOLLIN)

    def _read(self, connection: Connection) -> None:
        descriptor = connection.socket.fileno()
        try:
            found = connection.read()
        except ConnectionError:
            self._epoll.unregister(descriptor)
            del self._connections[descriptor]
            connection.socket.close()
            return
        if found is None:
            return
        arrival_ns, request = found
        if request.startswith(b"GET"):
            self._tell(connection)
            return
        due_ns = arrival_ns + self._delays_ns[self._number % DRAWN]
        self._number += 1
        heapq.heappush(self._pending, Pending(due_ns, self._number, arrival_ns, descriptor, _echo(request)))

    def _answer(self, pending: Pending) -> None:
        now_ns = time.time_ns()
        self._truth.append((now_ns - pending.arrival_ns, now_ns - max(pending.arrival_ns, self._free_ns)))
        self._free_ns = now_ns
        if pending.descriptor in self._connections:
            self._connections[pending.descriptor].socket.send(pending.answer)

    def _tell(self, connection: Connection) -> None:
        body = json.dumps(self._truth).encode()
        self._truth = []
        connection.socket.setblocking(True)
        connection.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        connection.socket.setblocking(False)


def _echo(request: bytes) -> bytes:
    """Output `y` is input `x`."""
    head, _, body = request.partition(b"\r\n\r\n")
    found = _SPLIT.search(head)
    split = int(found[1]) if found else len(body)
    tensor = json.loads(body[:split])["inputs"][0]
    header = json.dumps({"model_name": "m", "outputs": [tensor | {"name": "y"}]}).encode()
    sizes = (len(header), len(header) + len(body) - split)
    return b"HTTP/1.1 200 OK\r\nInference-Header-Content-Length: %d\r\nContent-Length: %d\r\n\r\n%b%b" % (
        *sizes, header, body[split:],
    )  # fmt: skip


if __name__ == "__main__":
    server = Server(sys.argv[1], int(sys.argv[2]))
    print(server.listening.getsockname()[1], flush=True)
    server.serve()
