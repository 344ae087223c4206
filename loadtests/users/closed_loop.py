"""A user that sends its next request when the last one was answered, and it has thought about it."""

from __future__ import annotations

import time

from locust import User
from locust.exception import StopUser

from loadtests.block import Closed
from loadtests.users.run import Run

PAUSE_S = 0.1
"""After an error. A dead server refuses in microseconds: without it the user would spin and fill the record."""


class ClosedLoop(User):  # type: ignore[misc]
    """One of N, one request in flight, intended `think_s` after the last answer. The last may end after the window."""

    def drive(self) -> None:
        run: Run = self.environment.run
        run.started.wait()
        assert isinstance(run.block.arrivals, Closed)
        think_s = run.block.arrivals.think_s
        due, stop = run.start, run.stop
        while due < stop:
            run.timer.wait(due)
            right = run.exchange(due)
            due = time.perf_counter() + (think_s if right else max(think_s, PAUSE_S))
        raise StopUser

    tasks = [drive]  # noqa: RUF012 - Locust's own way
