"""HTTP/1.1 on one connection: the order of requests and answers, and when it ends. No framework, no task.

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
from operator import attrgetter

from serving.reference import log
from serving.reference.errors import RequestError, unavailable
from serving.reference.exchange import Coming, Exchange, Pending, Reply, refusal
from serving.reference.reader import Limits, Reader

LINGER_S = 1.0
JOIN_BYTES = 32 * 1024
"""Up to this size it is cheaper to copy a response into one piece than to hand the pieces to the kernel."""


Application = Callable[[Exchange], Reply | Pending]


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
        self._reader = Reader(shared.limits, self._take, self._invite)
        self._reading = self._writable = True
        self._unsent_bytes = 0
        self._waiting: deque[Exchange | RequestError] = deque()
        self._pending: tuple[Exchange, Pending] | None = None
        self.last_active = self._loop.time()

    @property
    def busy(self) -> bool:
        """Whether a request is being read or answered."""
        reader = self._reader
        return reader.in_head or reader.in_body or self._pending is not None or bool(self._waiting)

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        connections, most = self._shared.connections, self._shared.limits.connections
        if len(connections) >= most and not self._make_room():
            self._reader.refuse(unavailable(f"{most} connections are open already"))
        connections.add(self)

    def _make_room(self) -> bool:
        """Close the connection that was quiet for longest, where that is longer than a request may stall."""
        quiet = [each for each in self._shared.connections if not each.busy]
        oldest = min(quiet, key=attrgetter("last_active"), default=self)
        if self._loop.time() - oldest.last_active <= self._shared.limits.stall_s:
            return False
        self._shared.connections.discard(oldest)
        oldest._transport.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — asyncio's signature
        self._shared.connections.discard(self)
        self._waiting.clear()
        if self._pending is not None:
            self._pending[1].answer.cancel()  # nobody is there to read it: the worker drops the job when its turn comes

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 — asyncio's signature
        return self._reader.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self.last_active = now = self._loop.time()
        self._reader.feed(nbytes, now)

    def pause_writing(self) -> None:
        self._writable = False  # a client that does not read its answers asks no more questions
        self._advance()

    def resume_writing(self) -> None:
        self._writable = True
        self._advance()

    # -- from requests to answers

    def _invite(self, interim: bytes) -> None:
        self._transport.write(interim)

    def _take(self, item: Exchange | RequestError) -> None:
        if self._pending is None and self._writable and not self._waiting:
            self._handle(item)
        else:
            self._waiting.append(item)
            self._advance()

    def _advance(self) -> None:
        """Handle what waits up to the first that is answered later; more is read only when nothing waits."""
        while self._waiting and self._pending is None and self._writable:
            self._handle(self._waiting.popleft())
        read = self._writable and not self._waiting
        if read != self._reading and not self._transport.is_closing():
            self._reading = read
            (self._transport.resume_reading if read else self._transport.pause_reading)()

    def _handle(self, item: Exchange | RequestError) -> None:
        if isinstance(item, RequestError):
            self._write(None, refusal(item))
            return
        try:
            reply = self._shared.application(item)
        except Exception as exc:
            reply = _failure(item, exc)
        if isinstance(reply, Pending):
            self._pending = item, reply  # before the callback, which may be called at once
            reply.answer.add_done_callback(self._answered)
        else:
            self._write(item, reply)

    def _answered(self, answer: Coming) -> None:
        if self._pending is None:
            return
        exchange, pending = self._pending
        self._pending = None
        try:
            reply = pending.encode(answer.result())
        except asyncio.CancelledError:
            return
        except Exception as exc:
            reply = _failure(exchange, exc)
        self._write(exchange, reply)
        if self._waiting:
            self._advance()

    def _write(self, exchange: Exchange | None, reply: Reply) -> None:
        status, head, body, length = reply
        if self._transport.is_closing():
            return
        close = exchange is None or not exchange.head.keep_alive or (self._shared.draining and self._is_last())
        end = b"connection: close\r\n\r\n" if close else b"\r\n"
        if exchange is not None and exchange.head.method == b"HEAD":
            body = []
        if length <= JOIN_BYTES:
            self._transport.write(b"".join((head, end, *body)))
        else:
            self._transport.writelines([head, end, *body])
        if self._shared.access_log:
            method, path = (exchange.head.method.decode(), exchange.head.path) if exchange is not None else ("", "")
            log.write("info", "request", method=method, path=path, status=status)
        if close:
            self._reader.refused = True
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
        elif self._reader.stalls(now, quiet_s):
            self._reader.refuse(RequestError(408, f"the request did not come on for {limits.stall_s:g} s"))
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
        return not (self._waiting or self._reader.in_head or self._reader.in_body or _unread(self._fileno()))

    def _fileno(self) -> int:
        fileno: int = self._transport.get_extra_info("socket").fileno()
        return fileno


def _unread(fileno: int) -> bool:
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    return bool(poll.poll(0))


def _failure(exchange: Exchange, exc: Exception) -> Reply:
    if isinstance(exc, RequestError):
        return refusal(exc)
    # A bug of ours: the client gets a status, the log gets the cause.
    log.write("error", "internal error", path=exchange.head.path, reason=repr(exc))
    return refusal(RequestError(500, "internal error"))
