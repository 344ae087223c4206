"""A user that sends its next request when the last one was answered."""

from __future__ import annotations

import time

import gevent
from locust import User
from locust.exception import StopUser

from loadtests.users.run import Run

PAUSE_S = 0.1
"""After an error. A dead server refuses in microseconds: without it the user would spin and fill the record."""


class ClosedLoop(User):  # type: ignore[misc]
    """One of N, one request in flight; intended is when the last answer was in. The last may end after the window."""

    def drive(self) -> None:
        run: Run = self.environment.run
        run.started.wait()
        gevent.sleep(max(0.0, run.start - time.perf_counter()))
        while (now := time.perf_counter()) < run.stop:
            if not run.send(run.recorder.begin(now)):
                gevent.sleep(PAUSE_S)
        raise StopUser

    tasks = [drive]  # noqa: RUF012 - Locust's own way
