"""The phases of `server_stress`: what a server does at capacity, beyond it, while models change, and at its end."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.errors import LoadFailed
from loadtests import payloads, samples
from loadtests.block import Arrivals, Block, Closed, Open
from loadtests.errors import LoadTestError
from loadtests.launch import Generator
from tests.serving import load, running
from tests.serving.running import Server

MODEL = "slow"
USERS = 32
OVERLOAD = 3.0
SOON_MS = 50.0
PROBE_S = 0.05
NEW_VERSION_EVERY = 10
Figures = dict[str, Any]


@contextmanager
def served(repository: Path, server_core: int, client_core: int) -> Iterator[Server]:
    """The reference server on its core: it inherits the affinity that this program has while it starts it."""
    os.sched_setaffinity(0, [server_core])
    try:
        with running.running(repository) as found:
            os.sched_setaffinity(0, [client_core])
            yield found
    finally:
        os.sched_setaffinity(0, [client_core])


@dataclass(frozen=True)
class Driver:
    """The load generator and what it sends; raises `LoadFailed` where it cannot."""

    generator: Generator
    folder: Path

    def run(self, server: Server, arrivals: Arrivals, seconds: float) -> samples.Samples:
        """The raw samples of one window."""
        request, found = self.folder / "payloads.npz", self.folder / "samples.parquet"
        payloads.save(request, [{"x": np.full((1, 4), 0.5, np.float32)}])
        block = Block(server.url, "oip_http", MODEL, str(request), arrivals, seconds, seed=0, samples=str(found))
        try:
            self.generator.run(block)
        except LoadTestError as exc:
            raise LoadFailed(str(exc)) from exc
        return samples.read(found)


def closed(driver: Driver, server: Server, seconds: float) -> Figures:
    """Capacity: the throughput of a pool of clients, none of which may be refused."""
    return _figures(driver.run(server, Closed(USERS), seconds))


def at_rate(driver: Driver, server: Server, rate_rps: float, seconds: float) -> Figures:
    """Open arrivals at a rate."""
    return _figures(driver.run(server, Open(rate_rps), seconds))


def overloaded(driver: Driver, server: Server, capacity_rps: float, normal_ms: float, seconds: float) -> Figures:
    """Three times the capacity, and how long after it the server is as before.

    `recovery_s` counts from the end of the window to the last answer of a prober that was refused, or took longer than
    `normal_ms`; it cannot be told more precisely than the prober asks.
    """
    probes: list[tuple[float, float, int]] = []
    ended = threading.Event()
    prober = threading.Thread(target=_probe, args=(server, probes, ended))
    prober.start()
    time.sleep(2)  # should the load before have been too much already, the server takes a second to forget it
    begun = time.perf_counter()
    try:
        found = _figures(driver.run(server, Open(OVERLOAD * capacity_rps), seconds))
        time.sleep(2)
    finally:
        ended.set()
        prober.join()
    over = begun + seconds
    bad = [at for at, took_ms, status in probes if at > over and (status != 200 or took_ms > normal_ms)]
    return found | {"recovery_s": max(bad, default=over) - over}


def reloaded(driver: Driver, server: Server, repository: Path, rate_rps: float, reloads: int) -> Figures:
    """Reloads under load, every tenth to a new version; `backwards` counts clients that saw an older one again."""
    seconds = max(10.0, reloads * 0.3)
    artifact = repository / MODEL / "1"
    failed: list[str] = []

    def reload() -> None:
        begun = time.perf_counter()
        for number in range(reloads):
            if number % NEW_VERSION_EVERY == 0:
                running.add(artifact, repository, MODEL, str(2 + number // NEW_VERSION_EVERY))
            answer = server.load(MODEL)
            if answer.status != 200:
                failed.append(str(answer.json))
            time.sleep(max(0.0, begun + (number + 1) * seconds * 0.9 / reloads - time.perf_counter()))

    with load.Clients(server.url, load.encode(MODEL), connections=2, pause_s=PROBE_S) as watching:
        reloading = threading.Thread(target=reload)
        reloading.start()
        found = _figures(driver.run(server, Open(rate_rps), seconds))
        reloading.join()
    watched = [answer for answer in watching.answers if answer.status == 200]
    versions = [[answer.version for answer in each if answer.status == 200] for each in watching.by_client]
    return found | {
        "reloads": reloads,
        "reloads_failed": len(failed),
        "failed": found["requests"] - found["accepted"] + len(watching.answers) - len(watched),
        "backwards": sum(each != sorted(each) for each in versions),
        "versions": len({answer.version for answer in watched}),
    }


def ended(repository: Path, server_core: int, client_core: int, **clients: Any) -> Figures:
    """SIGTERM under load; `lost` counts requests written before their connection was closed, and not answered."""
    with (
        served(repository, server_core, client_core) as server,
        load.Clients(server.url, load.encode(MODEL), **clients) as asking,
    ):
        time.sleep(2)
        begun = time.perf_counter()
        server.process.terminate()
        exit_status = server.process.wait(30)
        took_s = time.perf_counter() - begun
        asking.join()
    statuses = Counter(answer.status for answer in asking.answers)
    return {
        "requests": sum(statuses.values()),
        "lost": statuses[load.LOST],
        "refused": sum(statuses.values()) - statuses[load.LOST] - statuses[200],
        "exit_status": exit_status,
        "took_s": took_s,
    }


def _probe(server: Server, probes: list[tuple[float, float, int]], ended: threading.Event) -> None:
    """When it asked, how long that took in ms, and the status."""
    request = load.encode(MODEL)
    with load.connect(server.url) as connection, connection.makefile("rb") as stream:
        while not ended.wait(PROBE_S):
            begun = time.perf_counter()
            connection.sendall(request)
            answer = load.read(stream, begun)
            probes.append((begun, answer.elapsed_s * 1e3, answer.status))


def _figures(seen: samples.Samples) -> Figures:
    """Latencies count from the instant at which a request was due."""
    latency_ms = (seen.end - seen.intended) * 1e3
    refused = ~seen.ok & (seen.status == 429)
    return {
        "offered_rps": len(seen.ok) / seen.duration_s if seen.open else None,
        "achieved_rps": samples.achieved_rps(seen),
        "requests": len(seen.ok),
        "accepted": int(seen.ok.sum()),
        "refused": int(refused.sum()),
        "otherwise": int((~seen.ok & ~refused).sum()),
        "lag_p99_ms": _percentile((seen.sent - seen.intended) * 1e3, 99),
        "accepted_p50_ms": _percentile(latency_ms[seen.ok], 50),
        "accepted_p99_ms": _percentile(latency_ms[seen.ok], 99),
        "refused_p50_ms": _percentile(latency_ms[refused], 50),
        "refused_p99_ms": _percentile(latency_ms[refused], 99),
        "refused_max_ms": _percentile(latency_ms[refused], 100),
        "refused_soon": float((latency_ms[refused] <= SOON_MS).mean()) if refused.any() else None,
    }


def _percentile(values: Any, percent: float) -> float | None:
    return samples.nearest_rank(values, percent / 100) if len(values) else None
