"""Calling at absolute instants in a gevent loop, on the kernel's own timer."""

from __future__ import annotations

import ctypes
import itertools
import os
import time
from collections.abc import Callable
from heapq import heappop, heappush

import gevent

CLOCK_MONOTONIC = 1
TFD_TIMER_ABSTIME = 1
TFD_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
LONG_S = 1e-3
LEAD_S = 1e-4
"""A program that slept for longer than a moment wakes up late (p50 0.03 ms, p99 0.14 ms on an idle virtual machine), so
it is woken this much earlier and spins through the rest. Of a second that is a tenth at most, however many the calls:
between calls that follow within `LONG_S` the loop hardly sleeps, and answers come that a spin would keep waiting.
With half the lead a request at 500/s cost 115 µs instead of 155; but of a known delay of 5 ms p99 was then 1.1 to
2.5 ms too high in four windows of four, and 0.3 to 0.9 with this.
"""


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


_libc = ctypes.CDLL(None, use_errno=True)


class Timer:
    """A timerfd (Linux) that the loop watches, and a short spin: p99 0.05 ms late where `gevent.sleep` is 0.6–0.9.

    libev rounds its timeouts up to whole milliseconds; the timerfd is a file that becomes readable on time. Instants
    are those of `time.perf_counter()`, which on Linux reads the same CLOCK_MONOTONIC.
    """

    def __init__(self) -> None:
        self._fd = _libc.timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._spec = _TimerSpec()
        self._at = ctypes.byref(self._spec)
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._calling = False
        self._spun_to = 0.0
        """The instant the kernel wakes us ahead of; 0 where it wakes us at the instant."""
        loop = gevent.get_hub().loop
        # Ahead of the answers that came meanwhile: they were timed by the server, a request that is due is timed by us.
        self._readable = loop.io(self._fd, 1, priority=loop.MAXPRI)
        self._readable.start(self._expired)

    def call(self, instant: float, function: Callable[[], object]) -> None:
        """Call `function` from the hub at `instant`, and as soon as the loop comes round where it has passed."""
        entry = (instant, next(self._numbers), function)
        heappush(self._due, entry)
        if self._due[0] is entry and not self._calling:
            self._set(instant)

    def wait(self, instant: float) -> None:
        """Return at `instant`, and at once where it has passed; other greenlets run meanwhile."""
        if instant > time.perf_counter():
            self.call(instant, gevent.getcurrent().switch)
            gevent.get_hub().switch()

    def close(self) -> None:
        """Call nothing any more."""
        self._due.clear()
        self._readable.stop()
        self._readable.close()
        os.close(self._fd)

    def _expired(self) -> None:
        due, ready = self._due, []
        now = time.perf_counter()
        while due and now < due[0][0] <= self._spun_to:
            now = time.perf_counter()
        # Only what was due on entry: a schedule that cannot be kept must not starve the answers.
        while due and due[0][0] <= now:
            ready.append(heappop(due)[2])
        self._calling = True
        try:
            for function in ready:
                function()
        finally:
            self._calling = False
            self._set(due[0][0] if due else 0.0)

    def _set(self, instant: float) -> None:
        """Setting it takes back an earlier expiry, so the descriptor never needs to be read; 0 disarms it."""
        self._spun_to = 0.0
        if instant - time.perf_counter() > LONG_S:
            self._spun_to = instant
            instant -= LEAD_S
        seconds = int(instant)
        value = self._spec.value
        value.seconds = seconds
        value.nanoseconds = int((instant - seconds) * 1e9)
        if _libc.timerfd_settime(self._fd, TFD_TIMER_ABSTIME, self._at, None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")
