"""A user that sends on schedule, whether or not the earlier requests were answered."""

from __future__ import annotations

import time

from gevent.pool import Group
from locust import User
from locust.exception import StopUser

from loadtests.users.run import Run
from loadtests.users.timer import Timer


class OpenLoop(User):  # type: ignore[misc]
    """One user is the whole crowd: it wakes at each absolute instant, spawns a greenlet to send, never throttles.

    Waking late it catches up at once: every instant that has passed is sent, and timed from when it was due.
    """

    fixed_count = 1

    def drive(self) -> None:
        run: Run = self.environment.run
        in_flight = Group()
        run.started.wait()
        try:
            with Timer() as timer:
                for instant in run.due:
                    if instant > time.perf_counter():
                        timer.wait(instant)
                    in_flight.spawn(run.send, run.recorder.begin(instant))
            in_flight.join()
        finally:
            in_flight.kill()
        raise StopUser

    tasks = [drive]  # noqa: RUF012 - Locust's own way
