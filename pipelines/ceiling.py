"""What the load generator can do on this machine: its ceiling, its own cost and its lag, on a server of little cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loadtests import payloads, protocols, samples
from loadtests.block import Arrivals, Block, Closed, Open, Result
from loadtests.errors import NotReady
from loadtests.launch import Generator
from pipelines.run import CACHE
from serving import catalog, engines
from serving.engines.contract import Budget
from serving.reference.artifact import Tensor
from serving.reference.runtimes import null

Say = Callable[[str], None]

PROTOCOL = "oip-http"
REQUEST = {"x": np.ones((1, 8), np.float32)}
CEILING_S = 1.0
USERS = (1, 2, 4, 8, 16, 32, 64)
GROWS = 1.03
PATIENCE = 2
"""More users that bring less than 3 % more requests, twice in a row, have found the ceiling."""
LAG_RPS = 500.0
LAG_S = 8.0
SPECTRUM = (50, 90, 95, 99, 99.9)


class Spoiled(Exception):
    """Something else ran on this machine: what was measured is not its measure."""


@dataclass(frozen=True)
class Ceiling:
    """What one generator process was seen to do."""

    ceiling_rps: float
    """Closed, with more and more users until they bring no more."""
    cpu_us_per_request: float
    """Of the generator itself, at `LAG_RPS` open."""
    lag_spectrum_ms: tuple[tuple[float, float], ...]
    """(percentile, ms) at `LAG_RPS` open."""


def measure(generator: Generator, cpus: tuple[int, ...], scratch: Path, say: Say) -> Ceiling:
    """Against the null server on `cpus`; raises `Spoiled`."""
    requests = scratch / "null.npz"
    payloads.save(requests, [REQUEST])
    with _null_server(cpus, scratch, say) as (url, model):

        def run(arrivals: Arrivals, duration_s: float) -> Result:
            name = str(scratch / "null.parquet")
            return generator.run(Block(url, PROTOCOL, model, str(requests), arrivals, duration_s, seed=1, samples=name))

        run(Closed(1), CEILING_S)
        ceiling_rps = _ceiling(run, say)
        say(f"lag at {LAG_RPS:g} requests/s, {LAG_S:g} s")
        result = run(Open(LAG_RPS), LAG_S)
        cpu_us = 1e6 * result.generator.cpu_fraction / LAG_RPS
        return Ceiling(ceiling_rps, cpu_us, _lag(samples.read(result.samples)))


def _ceiling(run: Callable[[Arrivals, float], Result], say: Say) -> float:
    best_rps, behind = 0.0, 0
    for users in USERS:
        found_rps = run(Closed(users), CEILING_S).achieved_rps
        say(f"ceiling: {users} users, {found_rps:,.0f} requests/s")
        behind = 0 if found_rps > best_rps * GROWS else behind + 1
        best_rps = max(best_rps, found_rps)
        if behind == PATIENCE:
            break
    return best_rps


def _lag(seen: samples.Samples) -> tuple[tuple[float, float], ...]:
    lag_ms = (seen.sent - seen.intended) * 1e3
    if np.isnan(lag_ms).any():
        raise Spoiled(f"{np.count_nonzero(np.isnan(lag_ms))} requests never left at {LAG_RPS:g} requests/s")
    enough = [percentile for percentile in SPECTRUM if len(lag_ms) >= samples.samples_needed(percentile / 100)]
    return tuple((percentile, samples.nearest_rank(lag_ms, percentile / 100)) for percentile in enough)


@contextmanager
def _null_server(cpus: tuple[int, ...], scratch: Path, say: Say) -> Iterator[tuple[str, str]]:
    """URL and model of the reference server with a runtime that costs nothing."""
    server, engine = catalog.load("reference-null"), engines.load("process", CACHE, scratch / "logs")
    engine.prepare(server, say)
    artifact = scratch / "null"
    artifact.mkdir()
    manifest = null.write(artifact, (Tensor("x", "float32", ("batch", 8)),), (Tensor("y", "float32", ("batch", 8)),))
    client = protocols.load(PROTOCOL)

    def answers(url: str) -> bool:
        try:
            client.infer(url, manifest.id, REQUEST, timeout_s=5)
        except NotReady:
            return False
        return True

    budget = Budget(cpus, memory_bytes=1_000_000_000, pids=256)
    with engine.deploy(server, artifact, budget, answers, PROTOCOL) as deployment:
        yield deployment.url, manifest.id
