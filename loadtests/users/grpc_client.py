"""Unary gRPC calls of messages that were encoded once: bytes out, bytes in.

Its statuses in the samples: 200 for OK, so that a load's reader needs not know the protocol, and 1000 + gRPC's code
for the others (1014 is UNAVAILABLE).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import gevent
import grpc
from grpc.experimental import gevent as grpc_gevent

from loadtests.call import MESSAGE, OPTIONS
from loadtests.recorder import Recorder
from loadtests.request import Request
from loadtests.users.answer import Answer, Sink
from loadtests.users.connections import LIMIT, OPEN_TIMEOUT_S

STREAMS = 100
"""Calls on one connection at a time: what HTTP/2 asks servers to allow at least; more would wait inside gRPC."""
SEVERAL = 4
"""Connections at least, where there are so many calls: all on one would share one of the server's threads."""
THREADS = 64
"""More than channels: `LIMIT` over `STREAMS` of them are all there are in a block."""
OK = 200
ERRORS_FROM = 1000

_KINDS = {code.value[0]: f"grpc_{code.name.lower()}" for code in grpc.StatusCode}


def kind(status: int) -> str:
    """The kind of error that one of our statuses is: 1008 is `grpc_resource_exhausted`."""
    return _KINDS[status - ERRORS_FROM]


class _Channel:
    """One HTTP/2 connection, and how many calls are on their way over it."""

    def __init__(self, target: str, paths: Sequence[str]) -> None:
        self.in_flight = 0
        self._channel = grpc.insecure_channel(target, options=OPTIONS)
        self.methods: dict[str, Any] = {path: self._channel.unary_unary(path) for path in set(paths)}

    def wait_open(self, timeout_s: float) -> bool:
        """Wait until it is connected; False where the server refused, or said nothing for so long."""
        try:
            grpc.channel_ready_future(self._channel).result(timeout_s)
        except grpc.FutureTimeoutError:
            return False
        return True

    def close(self) -> None:
        """Cancel its calls."""
        self._channel.close()


class GrpcClient:
    """The `Client` of gRPC: each call goes over the connection that has the fewest, and a new one where all are full.

    A call has no deadline of its own: `close` cancels, after the drain, what was not answered.
    """

    def __init__(self, url: str, requests: Sequence[Request], recorder: Recorder, sink: Sink) -> None:
        # Each channel keeps a thread of gevent's pool waiting; without one left, all of gevent stands still.
        gevent.get_hub().threadpool.maxsize = THREADS
        grpc_gevent.init_gevent()  # before the first channel; again does nothing
        self._target = urlsplit(url).netloc
        self._requests = [(each.path, each.body, tuple(each.headers.items())) for each in requests]
        self._recorder, self._sink = recorder, sink
        self._channels: list[_Channel] = []
        self._waiting: deque[tuple[int, int]] = deque()
        self._in_flight = 0
        self._closed = False
        self._loop = gevent.get_hub().loop

    def open(self, count: int) -> None:
        """Open connections for so many calls at once; where the server refuses, the calls will find out."""
        for _ in range(max(min(count, SEVERAL), math.ceil(count / STREAMS))):
            if not self._new().wait_open(OPEN_TIMEOUT_S):
                return

    def send(self, payload: int, row: int) -> None:
        """Call; where `LIMIT` calls are on their way, as soon as one has ended."""
        if self._in_flight >= LIMIT:
            self._waiting.append((payload, row))
            return
        self._in_flight += 1
        gevent.spawn(self._call, payload, row)  # gRPC takes locks, for which the hub cannot wait

    def close(self) -> None:
        """Cancel all calls."""
        self._closed = True
        self._waiting.clear()
        for channel in self._channels:
            channel.close()

    def _new(self) -> _Channel:
        channel = _Channel(self._target, [path for path, _, _ in self._requests])
        self._channels.append(channel)
        return channel

    def _call(self, payload: int, row: int) -> None:
        if self._closed:
            return
        channel = min(self._channels, key=_in_flight, default=None)
        if channel is None or channel.in_flight >= STREAMS:
            channel = self._new()
        channel.in_flight += 1
        path, body, metadata = self._requests[payload]
        self._recorder.sent[row] = time.perf_counter()
        call: Any = channel.methods[path].future(body, metadata=metadata)
        call.add_done_callback(lambda call: self._done(channel, row, call))

    def _done(self, channel: _Channel, row: int, call: Any) -> None:
        # In the channel's own greenlet, which must not become that of a user: the sink is told by the hub.
        self._loop.run_callback(self._ended, channel, row, time.perf_counter(), call)

    def _ended(self, channel: _Channel, row: int, end: float, call: Any) -> None:
        channel.in_flight -= 1
        self._in_flight -= 1
        if self._closed:
            return
        if self._waiting:
            self.send(*self._waiting.popleft())
        code = call.code().value[0]
        if code:
            answer = Answer(code, {MESSAGE: call.details() or ""}, b"")
            self._sink.answered(row, end, ERRORS_FROM + code, 0, lambda: answer)
        else:
            body = call.result()
            self._sink.answered(row, end, OK, len(body), lambda: Answer(code, {}, body))


def _in_flight(channel: _Channel) -> int:
    return channel.in_flight
