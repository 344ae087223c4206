"""Requests/s of Locust's own FastHttpUser, closed: `python -m ….fast_http URL USERS SECONDS` prints them.

Each user posts one request of the stand after another, as a locustfile would; a tenth of the time is warm-up.
"""

from __future__ import annotations

import sys

# isort: split
# Locust patches sockets and threads on import; what was imported before it would keep the blocking ones.
from locust import FastHttpUser, task
from locust.env import Environment

# isort: split
import gevent

from benchmarks.truth_parts.stand import REQUEST
from loadtests.protocols import oip_http

ENCODED = oip_http.encode("m", REQUEST)


class Client(FastHttpUser):  # type: ignore[misc]
    """Posts, and waits for the answer."""

    @task  # type: ignore[untyped-decorator]
    def infer(self) -> None:
        self.client.post(ENCODED.path, data=ENCODED.body, headers=ENCODED.headers)


def main(url: str, users: int, seconds: float) -> None:
    """Print right answers per second."""
    Client.host = url
    environment = Environment(user_classes=[Client])
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    runner.spawning_greenlet.join()
    gevent.sleep(seconds / 10)
    total = environment.stats.total
    before = total.num_requests - total.num_failures
    gevent.sleep(seconds)
    rps = (total.num_requests - total.num_failures - before) / seconds
    runner.quit()
    print(rps, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
