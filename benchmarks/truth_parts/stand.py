"""The stand: servers on one core, whoever loads them on the other."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.errors import LoadFailed, NotStarted
from benchmarks.pinned import Command, running
from loadtests import payloads, samples
from loadtests.block import Arrivals, Block
from loadtests.launch import Generator

START_S = 30.0
RATE_RPS = 200.0
"""Of the parts that compare latencies."""
WARM_UP_S = 1.0
REQUEST = {"x": np.full((1, 64), 0.5, np.float32)}
SEED = 20


@dataclass(frozen=True)
class Stand:
    """What all parts stand on."""

    generator: Generator
    folder: Path
    server_core: int
    client_core: int
    say: Callable[[str], None]

    @contextmanager
    def serving(self, argv: list[str]) -> Iterator[str]:
        """`python ARGV`, a server that prints its port; yields its URL. Raises `NotStarted`."""
        log = self.folder / "server.log"
        with running(Command([sys.executable, *argv]), self.server_core, log) as server:
            deadline = time.perf_counter() + START_S
            while not log.read_bytes().endswith(b"\n"):
                if server.ended() or time.perf_counter() > deadline:
                    raise NotStarted(f"{' '.join(argv)}: {server.said() or 'said nothing'}")
                time.sleep(0.05)
            try:
                port = int(log.read_text().splitlines()[0])
            except ValueError as exc:
                raise NotStarted(f"{' '.join(argv)}: {server.said()}") from exc
            yield f"http://127.0.0.1:{port}"

    def block(self, url: str, arrivals: Arrivals, seconds: float, seed: int = SEED) -> Block:
        """A block of the stand's one request over oip-http."""
        request = self.folder / "payloads.npz"
        payloads.save(request, [REQUEST])
        found = str(self.folder / "samples.parquet")
        return Block(url, "oip-http", "m", str(request), arrivals, seconds, seed=seed, samples=found)

    def drive(self, url: str, arrivals: Arrivals, seconds: float, seed: int = SEED) -> samples.Samples:
        """The raw samples of one window; raises `LoadTestError`, and `LoadFailed` where a request failed."""
        result = self.generator.run(self.block(url, arrivals, seconds, seed))
        if result.errors:
            raise LoadFailed(f"{result.errors} of {result.requests} requests failed: {result.error_kinds[0].example}")
        return samples.read(result.samples)


def told(url: str) -> np.ndarray:
    """Of an `injecting` server: (n, 2), ms from arrival to answer and ms of service, since it was last asked."""
    with urllib.request.urlopen(f"{url}/truth", timeout=10) as response:
        return np.array(json.load(response), dtype=np.float64).reshape(-1, 2) / 1e6


def percentiles_ms(latencies_ms: np.ndarray) -> tuple[float, float, float]:
    """p50, p90 and p99 by nearest rank, as `loadtests.samples` takes them."""
    p50, p90, p99 = (samples.nearest_rank(latencies_ms, quantile) for quantile in (0.50, 0.90, 0.99))
    return p50, p90, p99
