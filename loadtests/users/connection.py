"""One keep-alive connection, driven by the loop: no greenlet of its own, no call that waits."""

from __future__ import annotations

import _socket
import errno
import os
import time
from typing import Any, Protocol

import gevent
import gevent.socket
import httptools

from loadtests.recorder import Recorder
from loadtests.users.answer import Answer, Sink

READ_BYTES = 65536
SYN_RETRIES = 2
"""The kernel gives a connection up after 7 s (1 + 2 + 4) that nobody answers; we need no timer for it."""
READABLE, WRITABLE = 1, 2
NOBODY = -1


class Owner(Protocol):
    """Who hands out connections."""

    def free(self, connection: Connection) -> None:
        """It has nothing to do any more."""

    def lost(self, connection: Connection) -> None:
        """It cannot be used any more."""

    def gone(self, connection: Connection) -> None:
        """It cannot be used any more, and had nothing to do."""


class Connection:
    """Sends one request at a time; the loop calls back when there is something to read.

    A greenlet for each request, gevent's socket and geventhttpclient's response cost three times as much: the socket is
    the plain one, read when the loop says so; llhttp tells where the answer ends and nothing else. Headers are parsed
    only for the answers that are looked at.
    """

    def __init__(self, family: int, address: Any, owner: Owner, recorder: Recorder, sink: Sink) -> None:
        self._owner, self._sent, self._sink = owner, recorder.sent, sink
        self._parser = httptools.HttpResponseParser(self)
        self._row = NOBODY
        self._rest: bytes | memoryview = b""
        self._chunks: list[bytes] = []
        self._length = self._answers = 0
        self._reusable = self._open = False
        # Not gevent's: it would wait in a greenlet.
        self._socket = _socket.socket(family, _socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self._socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_SYNCNT, SYN_RETRIES)
        self._loop = gevent.get_hub().loop
        self._readable = self._loop.io(self._socket.fileno(), READABLE)
        self._writable = self._loop.io(self._socket.fileno(), WRITABLE)
        self._error = self._socket.connect_ex(address)
        if self._error == errno.EINPROGRESS:
            self._error = 0

    def wait_open(self, timeout_s: float) -> bool:
        """Wait until it is open; False where the server refused, or said nothing for so long."""
        try:
            gevent.socket.wait_write(self._socket.fileno(), timeout_s)
        except OSError:
            return False
        self._open = not (self._error or self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR))
        if self._open:
            self._readable.start(self._read)
        return self._open

    def send(self, row: int, data: bytes) -> None:
        """Send what the kernel takes now, and the rest when it takes more: also all, where it is still connecting."""
        self._row = row
        self._chunks = []
        self._length = self._answers = 0
        now = time.perf_counter()
        try:
            if self._error:
                raise OSError(self._error, os.strerror(self._error))
            written = self._socket.send(data)
        except BlockingIOError:
            written = 0
        except OSError as exc:
            # Not from within `send`: the sink is not ready to hear of it.
            self._loop.run_callback(self._broken, row, exc)
            return
        if written:
            self._sent[row] = now
            if not self._open:
                self._opened()
        if written < len(data):
            self._rest = memoryview(data)[written:]
            self._writable.start(self._write)

    def close(self) -> None:
        """Close it, whatever it is doing."""
        self._row = NOBODY
        for watcher in (self._readable, self._writable):
            watcher.stop()
            watcher.close()
        self._socket.close()

    def on_body(self, part: bytes) -> None:
        """Called by the parser."""
        self._length += len(part)

    def on_message_complete(self) -> None:
        """Called by the parser, at the end of interim answers (1xx) too."""
        if self._parser.get_status_code() >= 200:
            self._answers += 1
            self._reusable = self._parser.should_keep_alive()  # it knows only now

    def _opened(self) -> None:
        self._open = True
        self._readable.start(self._read)

    def _write(self) -> None:
        row, now = self._row, time.perf_counter()
        try:
            written = self._socket.send(self._rest)
        except BlockingIOError:
            return
        except OSError as exc:
            self._broken(row, exc)
            return
        if not self._sent[row]:
            self._sent[row] = now
        if not self._open:
            self._opened()
        self._rest = self._rest[written:]
        if not self._rest:
            self._writable.stop()

    def _read(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as exc:
            self._broken(self._row, exc)
            return
        end, row = time.perf_counter(), self._row
        if row == NOBODY:  # the server closed it, or sent what nobody asked for
            self._owner.gone(self)
            return
        if not data:
            self._closed_by_server(row, end)
            return
        self._chunks.append(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            self._fail(row, "malformed", f"the answer is not HTTP: {exc}")
            return
        if self._answers == 1:
            self._answered(row, end, self._reusable and not self._rest)
        elif self._answers:
            self._fail(row, "malformed", "the answer is not HTTP: there is more than one")

    def _answered(self, row: int, end: float, reusable: bool) -> None:
        chunks = self._chunks
        self._row = NOBODY
        status, length = self._parser.get_status_code(), self._length
        # First: a closed load sends its next request from within `answered`.
        if reusable:
            self._owner.free(self)
        else:
            self._owner.lost(self)
        self._sink.answered(row, end, status, length, lambda: _whole(chunks))

    def _closed_by_server(self, row: int, end: float) -> None:
        if not self._chunks:
            self._fail(row, "closed", "the server closed the connection instead of answering")
        elif _ends_with_connection(self._chunks):
            self._answered(row, end, reusable=False)
        else:
            self._fail(row, "malformed", f"the answer broke off after {sum(map(len, self._chunks))} bytes")

    def _broken(self, row: int, exc: OSError) -> None:
        if row != self._row:  # closed meanwhile
            return
        if self._open:
            self._fail(row, "closed", f"the connection broke: {exc}")
        else:
            self._fail(row, "refused", f"cannot connect: {exc}")

    def _fail(self, row: int, kind: str, message: str) -> None:
        self._row = NOBODY
        self._owner.lost(self)
        if row != NOBODY:
            self._sink.failed(row, kind, message)


class _Whole:
    """What a parser found in an answer that is looked at; of interim answers only the last, which is the real one."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = self.headed = False
        self.parser = httptools.HttpResponseParser(self)
        for chunk in chunks:
            self.parser.feed_data(chunk)

    def on_message_begin(self) -> None:
        self.headers, self.body, self.headed = {}, b"", False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1")] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.headed = True

    def on_body(self, part: bytes) -> None:
        self.body += part


def _whole(chunks: list[bytes]) -> Answer:
    whole = _Whole(chunks)
    return Answer(whole.parser.get_status_code(), whole.headers, whole.body)


def _ends_with_connection(chunks: list[bytes]) -> bool:
    """Whether an answer says nothing of its length, so that its end is that of the connection."""
    whole = _Whole(chunks)
    return whole.headed and not {"content-length", "transfer-encoding"} & {name.lower() for name in whole.headers}
