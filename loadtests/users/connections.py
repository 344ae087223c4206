"""Keep-alive connections to one server, opened before they are needed."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from typing import Any

import gevent.event
import gevent.socket

LIMIT = 1024
"""Most at once. At 1,000 requests/s that is a second of stall; beyond, requests wait and the lag shows it."""
OPEN_TIMEOUT_S = 5.0
FRESH_S = 1.0
"""Idle for less, a connection is taken to be alive: servers close idle ones after seconds, and looking costs."""

Socket = Any


class Connections:
    """Hands out the connection that has been idle the longest, and opens another where all are in use.

    Taking turns keeps all of them in use: handing out the latest instead would leave the others to the server's
    keep-alive timeout, and closing dozens of them at once is work that a measurement should not see.
    """

    def __init__(self, host: str, port: int) -> None:
        # Looked up once: every lookup is a trip to gevent's thread pool. Raises OSError for a host nobody knows.
        self._family, _, _, _, self._address = gevent.socket.getaddrinfo(host, port, 0, gevent.socket.SOCK_STREAM)[0]
        self._closed = False
        self._idle: deque[tuple[Socket, float]] = deque()
        self._in_use = 0
        # Not a semaphore: taking one of thousands of killed waiters out of its list walks the list.
        self._waiting: deque[gevent.event.Event] = deque()

    def open(self, count: int) -> None:
        """Open `count` in advance; where the server refuses, the requests will find out and say so."""
        with contextlib.suppress(OSError):
            for _ in range(count):
                self._idle.append((self._connect(), time.perf_counter()))

    def acquire(self) -> Socket:
        """A connection of one's own until `release` or `discard`; raises OSError where none can be opened."""
        while self._closed or self._in_use >= LIMIT:
            self._waiting.append(turn := gevent.event.Event())
            turn.wait()
        self._in_use += 1
        try:
            while self._idle:
                connection, since = self._idle.popleft()
                if time.perf_counter() - since < FRESH_S or _is_open(connection):
                    return connection
                connection.close()
            return self._connect()
        except BaseException:
            self._free()
            raise

    def release(self, connection: Socket) -> None:
        """Give a connection back for the next request."""
        if self._closed:
            self.discard(connection)
            return
        self._idle.append((connection, time.perf_counter()))
        self._free()

    def discard(self, connection: Socket) -> None:
        """Give a connection back that must not be used again."""
        connection.close()
        self._free()

    def close(self) -> None:
        """Close the idle ones, and each of the others when it comes back; those who wait for one wait for ever."""
        self._closed = True
        self._waiting.clear()
        while self._idle:
            self._idle.popleft()[0].close()

    def _free(self) -> None:
        self._in_use -= 1
        if self._waiting:
            self._waiting.popleft().set()

    def _connect(self) -> Socket:
        connection = gevent.socket.socket(self._family, gevent.socket.SOCK_STREAM)
        try:
            connection.settimeout(OPEN_TIMEOUT_S)
            connection.connect(self._address)
        except BaseException:
            connection.close()
            raise
        connection.settimeout(None)  # the block's drain bounds every wait, at no cost per request
        connection.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
        return connection


def _is_open(connection: Socket) -> bool:
    """Whether the server has neither closed it nor sent what nobody asked for."""
    connection.settimeout(0.0)
    try:
        connection.recv(1, gevent.socket.MSG_PEEK)
    except BlockingIOError:
        connection.settimeout(None)
        return True
    except OSError:
        return False
    return False
