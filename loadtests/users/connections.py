"""Keep-alive connections to one server, opened before they are needed."""

from __future__ import annotations

from collections import deque

import gevent.socket

from loadtests.recorder import Recorder
from loadtests.users.answer import Sink
from loadtests.users.connection import Connection

LIMIT = 1024
"""Most at once. At 1,000 requests/s that is a second of stall; beyond, requests wait and the lag shows it."""
OPEN_TIMEOUT_S = 5.0


class Connections:
    """Sends on the connection that has been idle the longest, and opens another where all are in use.

    Taking turns keeps all of them in use: taking the latest instead would leave the others to the server's keep-alive
    timeout, and closing dozens of them at once is work that a measurement should not see.
    """

    def __init__(self, host: str, port: int, recorder: Recorder, sink: Sink) -> None:
        # Looked up once: every lookup is a trip to gevent's thread pool. Raises OSError for a host nobody knows.
        family, _, _, _, address = gevent.socket.getaddrinfo(host, port, 0, gevent.socket.SOCK_STREAM)[0]
        self._family, self._address = family, address
        self._recorder, self._sink = recorder, sink
        self._all: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        self._waiting: deque[tuple[int, bytes]] = deque()

    def open(self, count: int) -> None:
        """Open `count` in advance; where the server refuses, the requests will find out and say so."""
        opened = [self._connection() for _ in range(count)]
        for connection in opened:
            if connection.wait_open(OPEN_TIMEOUT_S):
                self._idle.append(connection)
            else:
                self._all.discard(connection)
                connection.close()

    def send(self, row: int, data: bytes) -> None:
        """Send at once; where `LIMIT` connections are in use, as soon as one is not."""
        if self._idle:
            self._idle.popleft().send(row, data)
        elif len(self._all) < LIMIT:
            self._connection().send(row, data)
        else:
            self._waiting.append((row, data))

    def close(self) -> None:
        """Close all, whatever they are doing; what waits for one is not sent."""
        self._waiting.clear()
        self._idle.clear()
        while self._all:
            self._all.pop().close()

    def free(self, connection: Connection) -> None:
        """It has nothing to do any more."""
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """It cannot be used any more."""
        self._all.discard(connection)
        connection.close()
        if self._waiting and len(self._all) < LIMIT:
            self._connection().send(*self._waiting.popleft())

    def gone(self, connection: Connection) -> None:
        """It cannot be used any more, and had nothing to do."""
        self._idle.remove(connection)
        self.lost(connection)

    def _connection(self) -> Connection:
        connection = Connection(self._family, self._address, self, self._recorder, self._sink)
        self._all.add(connection)
        return connection
