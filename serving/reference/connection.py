"""HTTP/1.1 on one connection: httptools parses, uvloop reads. No framework, no task, no copy from socket to tensor.

Measured against uvicorn and granian in `benchmarks/http_layers.py`.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
import numpy as np

from serving.reference import log
from serving.reference.errors import RequestError, unavailable
from serving.reference.exchange import Exchange, Pending, Reply, refusal

MAX_HEAD_BYTES = 64 * 1024
"""Of headers, trailers or the lengths of chunks, beyond what came in one read with their beginning."""
DIRECT_BYTES = 64 * 1024
"""A body of this size is read straight into memory of its own, which its tensors are then views of."""
LINGER_S = 1.0
JOIN_BYTES = 32 * 1024
"""Up to this size it is cheaper to copy a response into one piece than to hand the pieces to the kernel."""

_SHARED = memoryview(bytearray(256 * 1024))  # uvloop reads and calls back in one step, so that connections can share it
_STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}

Application = Callable[[Exchange], Reply | Pending]


@dataclass(slots=True)
class Limits:
    """What one client may ask of the server."""

    body_bytes: int
    connections: int
    stall_s: float = 10.0
    """A request that has begun and does not come on for so long is given up."""
    idle_s: float = 3600.0
    """A candidate is paused for minutes while others are measured; its connections must survive that."""


class Shared:
    """What the connections of a server have in common."""

    def __init__(self, application: Application, limits: Limits, access_log: bool) -> None:
        self.application = application
        self.limits = limits
        self.access_log = access_log
        self.connections: set[Connection] = set()
        self.draining = False


class Connection(asyncio.BufferedProtocol):
    """Answers requests one after the other, in the order in which they came."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # set before anything else is called
        self._parser = httptools.HttpRequestParser(self)
        self._direct: memoryview | None = None
        self._direct_end = 0
        self._head_bytes = 0
        self._in_head = self._in_body = self._body_apart = False
        self._feeding = False
        self._reading = self._writable = True
        self._unsent_bytes = 0
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._length = 0
        self._waiting: deque[Exchange | RequestError] = deque()
        self._answer: asyncio.Future[Any] | None = None
        self._refused = False  # nothing that comes after is read; the reply that says so closes the connection
        self.last_active = self._began = self._loop.time()

    @property
    def busy(self) -> bool:
        """Whether a request is being read or answered."""
        return self._in_head or self._in_body or self._answer is not None or bool(self._waiting)

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        connections = self._shared.connections
        connections.add(self)
        if len(connections) > self._shared.limits.connections:
            self._refuse(unavailable(f"{self._shared.limits.connections} connections are open already"))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — asyncio's signature
        self._shared.connections.discard(self)
        self._waiting.clear()
        if self._answer is not None:
            self._answer.cancel()  # nobody is there to read it: the worker drops the job when its turn comes

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 — asyncio's signature
        return _SHARED if self._direct is None else self._direct[self._direct_end :]

    def buffer_updated(self, nbytes: int) -> None:
        self.last_active = self._loop.time()
        if self._direct is not None:
            self._fill(self._direct, nbytes)
        elif not self._refused:
            self._feeding = True
            self._feed(_SHARED[:nbytes], nbytes)
            self._feeding = False
            self._advance()

    def pause_writing(self) -> None:
        self._writable = False  # a client that does not read its answers asks no more questions
        self._advance()

    def resume_writing(self) -> None:
        self._writable = True
        self._advance()

    # -- what httptools calls

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes, self._url, self._headers, self._body = True, 0, b"", {}, bytearray()
        self._began = self.last_active

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        self._method = self._parser.get_method()
        upgrade = self._parser.should_upgrade()  # never taken up: the request is answered as what it is
        self._keep_alive = self._parser.should_keep_alive() and not upgrade
        headers, limit = self._headers, self._shared.limits.body_bytes
        self._length = int(headers.get(b"content-length", b"0"))  # llhttp lets only digits through
        self._body_apart = upgrade and self._length > 0  # the parser takes it for the other protocol's bytes
        if self._length > limit:
            self._refuse(_too_large(limit))
        elif headers.get(b"content-encoding", b"identity") != b"identity":
            self._refuse(RequestError(415, "compressed bodies are not supported"))
        elif headers.get(b"expect", b"").lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        self._head_bytes = 0
        self._body += body
        if len(self._body) > self._shared.limits.body_bytes:  # a chunked one says no length beforehand
            self._refuse(_too_large(self._shared.limits.body_bytes))

    def on_message_complete(self) -> None:
        if not self._refused and not self._body_apart:
            self._complete(memoryview(self._body))

    # -- from bytes to an exchange

    def _feed(self, data: memoryview, nbytes: int) -> None:
        self._head_bytes += nbytes
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:
            if self._body_apart:  # Java's client asks for HTTP/2 in every first request, whatever its body
                self._body += data[exc.args[0] :][: self._length]
            else:
                self._refused = True
        except httptools.HttpParserError as exc:
            self._refuse(RequestError(400, f"not HTTP/1.1: {exc}"))
        if self._refused:
            return
        if self._head_bytes > MAX_HEAD_BYTES and (self._in_head or self._in_body):
            self._refuse(RequestError(431, f"the headers are larger than {MAX_HEAD_BYTES} bytes"))
        elif self._in_body and (self._length >= DIRECT_BYTES or self._body_apart):
            # Not a bytearray, which would be filled with zeros first.
            self._direct = np.empty(self._length, np.uint8).data
            self._direct[: len(self._body)] = self._body
            self._direct_end = 0
            self._fill(self._direct, len(self._body))

    def _fill(self, body: memoryview, nbytes: int) -> None:
        self._direct_end += nbytes
        if self._direct_end == len(body):
            self._direct = None
            self._parser = httptools.HttpRequestParser(self)  # the old one still waits for the body
            self._complete(body)

    def _complete(self, body: memoryview) -> None:
        self._in_body = False
        path = self._url.partition(b"?")[0].decode("latin-1")
        self._take(Exchange(self._method, path, self._headers, body, self._keep_alive))

    def _refuse(self, error: RequestError) -> None:
        """Answer with an error after what came before it, and close; what the client still sends is not looked at."""
        self._refused, self._in_head, self._in_body = True, False, False
        self._take(error)

    def _take(self, item: Exchange | RequestError) -> None:
        self._waiting.append(item)
        if not self._feeding:
            self._advance()

    def _advance(self) -> None:
        """Handle what waits up to the first that is answered later; more is read only when nothing waits."""
        while self._waiting and self._answer is None and self._writable:
            self._handle(self._waiting.popleft())
        read = self._writable and not self._waiting
        if read != self._reading and not self._transport.is_closing():
            self._reading = read
            (self._transport.resume_reading if read else self._transport.pause_reading)()

    # -- from an exchange to bytes

    def _handle(self, item: Exchange | RequestError) -> None:
        if isinstance(item, RequestError):
            self._write(None, refusal(item))
            return
        try:
            reply = self._shared.application(item)
        except Exception as exc:
            reply = _failure(item, exc)
        if isinstance(reply, Pending):
            self._answer = reply.answer
            reply.answer.add_done_callback(partial(self._answered, item, reply.encode))
        else:
            self._write(item, reply)

    def _answered(self, exchange: Exchange, encode: Callable[[Any], Reply], answer: asyncio.Future[Any]) -> None:
        self._answer = None
        if answer.cancelled():
            return
        try:
            reply = encode(answer.result())
        except Exception as exc:
            reply = _failure(exchange, exc)
        self._write(exchange, reply)
        self._advance()

    def _write(self, exchange: Exchange | None, reply: Reply) -> None:
        status, headers, body = reply
        if self._transport.is_closing():
            return
        length = sum(map(len, body))
        close = exchange is None or not exchange.keep_alive or (self._shared.draining and self._is_last())
        head = [_STATUS[status], *(b"%b: %b\r\n" % header for header in headers), b"content-length: %d\r\n" % length]
        head.append(b"connection: close\r\n\r\n" if close else b"\r\n")
        if exchange is not None and exchange.method == b"HEAD":
            body = []
        if length <= JOIN_BYTES:
            self._transport.write(b"".join((*head, *body)))
        else:
            self._transport.writelines([b"".join(head), *body])
        if self._shared.access_log and exchange is not None:
            log.write("info", "request", method=exchange.method.decode(), path=exchange.path, status=status)
        if close:
            self._refused = True
            self._waiting.clear()
            # Closed at once, bytes not read would reset the connection, and take the answer with them.
            if exchange is None:
                self._loop.call_later(LINGER_S, self._transport.close)
            else:
                self._transport.close()

    def look_after(self, now: float) -> None:
        """Called every second: give up on a client that stalls, and on a connection that nobody uses."""
        if not self._writable and (unsent_bytes := self._transport.get_write_buffer_size()) != self._unsent_bytes:
            self._unsent_bytes, self.last_active = unsent_bytes, now
        quiet_s = now - self.last_active
        limits = self._shared.limits
        if not self._reading:  # for once it is the client who waits, unless it does not read
            if not self._writable and quiet_s > limits.stall_s:
                self._transport.abort()
        elif (self._in_body and quiet_s > limits.stall_s) or (self._in_head and now - self._began > limits.stall_s):
            self._direct = None
            self._refuse(RequestError(408, f"the request did not come on for {limits.stall_s:g} s"))
        elif not self.busy and quiet_s > limits.idle_s:
            self._transport.close()

    def close_if_quiet(self, now: float, quiet_s: float) -> None:
        """Called while draining: what is in flight ends by itself."""
        if not self.busy and now - self.last_active > quiet_s:
            with socket.socket(fileno=os.dup(self._fileno())) as connection:
                if not _unread(connection.fileno()):
                    # The transport would close some time later, and reset what came until then.
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_WR)
                    self._transport.close()

    def _is_last(self) -> bool:
        """Whether the client has sent nothing beyond the request that is being answered, not even unread by us."""
        return not (self._waiting or self._in_head or self._in_body or _unread(self._fileno()))

    def _fileno(self) -> int:
        fileno: int = self._transport.get_extra_info("socket").fileno()
        return fileno


def _unread(fileno: int) -> bool:
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    return bool(poll.poll(0))


def _too_large(limit_bytes: int) -> RequestError:
    return RequestError(413, f"the body is larger than {limit_bytes} bytes")


def _failure(exchange: Exchange, exc: Exception) -> Reply:
    if isinstance(exc, RequestError):
        return refusal(exc)
    # A bug of ours: the client gets a status, the log gets the cause.
    log.write("error", "internal error", path=exchange.path, reason=repr(exc))
    return refusal(RequestError(500, "internal error"))
