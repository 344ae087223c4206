"""A user that sends on schedule, whether or not the earlier requests were answered."""

from __future__ import annotations

import time

import gevent.event
from locust import User
from locust.exception import StopUser

from loadtests.users.run import Run


class OpenLoop(User):  # type: ignore[misc]
    """One user is the whole crowd: the timer calls at each absolute instant, and it sends without ever waiting.

    Late, it catches up at once: every instant that has passed is sent, and timed from when it was due.
    """

    fixed_count = 1

    def drive(self) -> None:
        run: Run = self.environment.run
        run.started.wait()
        self._run, self._due, self._next, self._in_flight = run, run.due, 0, 0
        self._over = gevent.event.Event()
        self._send_due()
        self._over.wait()
        raise StopUser

    def _send_due(self) -> None:
        run, due, now = self._run, self._due, time.perf_counter()
        while self._next < len(due) and due[self._next] <= now:
            self._in_flight += 1
            run.send(due[self._next], self._ended)
            self._next += 1
        if self._next < len(due):
            run.timer.call(due[self._next], self._send_due)
        elif not self._in_flight:
            self._over.set()

    def _ended(self, _: bool) -> None:
        self._in_flight -= 1
        if not self._in_flight and self._next == len(self._due):
            self._over.set()

    tasks = [drive]  # noqa: RUF012 - Locust's own way
