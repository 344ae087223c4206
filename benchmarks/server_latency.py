"""`python -m benchmarks.server_latency`: what our server adds to the runtime at light load, one connection (3 min).

Prints a table; writes `benchmarks/results/server_latency.json` and `docs/server_overhead.md`. Exit status as of
`server_overhead`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks import figures, grpc_loop, h2load, in_process, installs, models, page, results, wrk
from benchmarks.environment import CACHE, ClientCore, Rounds, Seconds, ServerCore, Source, benchmarking, describe
from benchmarks.errors import BenchmarkError, LoadFailed
from benchmarks.models import Model
from benchmarks.pinned import ROOT, Command, running
from benchmarks.reference import NAME, Reference
from benchmarks.rounds import WARM_UP_S
from benchmarks.served import check, served
from serving.engines.launch import HOST, free_port

BARS_MS = {"HTTP binary": 0.35, "gRPC": 1.5 * 0.35}
"""With compiled clients, wrk and h2load: the bar is of the server."""
BARRED = "mlp"
"""The model of the bar; the image shows what 600 KB on the wire cost besides."""
MODELS = (BARRED, "image")

P50 = Callable[[float], float]
"""The median latency in ms of a window of that many seconds."""


@dataclass(frozen=True)
class Bench:
    """What is the same for every window."""

    reference: Reference
    python: Path
    server_core: int
    client_core: int


@contextmanager
def http_binary(bench: Bench, model: Model) -> Iterator[P50]:
    """Over HTTP with binary tensors, from wrk."""
    with served(bench.reference, bench.python, model, bench.server_core) as url:
        check(url, bench.reference, model, "binary")
        request = bench.reference.request(model, "binary")
        drive = partial(wrk.load, url, request, connections=1, core=bench.client_core)
        drive(seconds=WARM_UP_S)
        yield lambda seconds: drive(seconds=seconds).p50_ms


@contextmanager
def with_grpc(bench: Bench, model: Model) -> Iterator[int]:
    """The port of gRPC of a server that answers rightly."""
    port = free_port()
    reference = replace(bench.reference, options=("--grpc-port", str(port)))
    with served(reference, bench.python, model, bench.server_core) as url:
        check(url, reference, model, "binary")
        yield port


@contextmanager
def grpc_raw(bench: Bench, model: Model) -> Iterator[P50]:
    """Over gRPC with raw contents, from h2load."""
    request = grpc_loop.request(model.served_name, model.sample)
    with with_grpc(bench, model) as port:
        answer = grpc_loop.ask(port, request)
        url = f"http://{HOST}:{port}{grpc_loop.METHOD}"
        message = request.SerializeToString()
        drive = partial(h2load.p50_ms, url, message, answer, core=bench.client_core)
        drive(seconds=WARM_UP_S)
        yield lambda seconds: drive(seconds=seconds)


@contextmanager
def grpc_python(bench: Bench, model: Model) -> Iterator[P50]:
    """Over gRPC with raw contents, from a synchronous client in Python, whose own cost is in the figure."""
    with with_grpc(bench, model) as port, tempfile.TemporaryDirectory() as folder:
        sample, log = Path(folder) / "sample.npy", Path(folder) / "log"
        np.save(sample, model.sample)

        def p50_ms(seconds: float) -> float:
            argv = [sys.executable, "-m", "benchmarks.grpc_loop", str(port), model.served_name, str(sample)]
            with running(Command([*argv, str(seconds)]), bench.client_core, log) as process:
                while not process.ended():
                    time.sleep(0.05)
            try:
                return float(json.loads(log.read_text().splitlines()[-1])["p50_ms"])
            except (IndexError, ValueError, TypeError, KeyError) as exc:
                raise LoadFailed(f"the gRPC client: {log.read_text()[-300:]}") from exc

        yield p50_ms


WAYS: dict[str, Callable[[Bench, Model], AbstractContextManager[P50]]] = {
    "HTTP binary": http_binary,
    "gRPC": grpc_raw,
    "gRPC, Python client": grpc_python,
}


@dataclass(frozen=True)
class Row:
    """Medians over the rounds."""

    model: str
    way: str
    in_process_ms: float | None = None
    served_ms: float | None = None
    added_ms: float | None = None
    added_low_ms: float | None = None
    added_high_ms: float | None = None
    bar_ms: float | None = None
    holds: bool | None = None
    reason: str | None = None


def main(
    rounds: Rounds = 5,
    seconds: Seconds = 3,
    server_core: ServerCore = 0,
    client_core: ClientCore = 1,
    source: Source = ROOT,
) -> None:
    """Measure what the reference server adds to the runtime's latency at light load."""
    console = Console()
    with benchmarking(console, server_core, client_core), console.status("") as status:
        wrk.require()
        h2load.require()
        reference = Reference(source)
        python = installs.ensure(NAME, reference.requirements, CACHE, status.update)
        bench = Bench(reference, python, server_core, client_core)
        rows = []
        for name in MODELS:
            for way in WAYS:
                status.update(f"{name}: {way}")
                rows.append(_row(bench, models.load(name, CACHE), way, rounds, seconds))
        found: dict[str, Any] = {
            "rows": [asdict(row) for row in rows],
            "environment": describe(source),
            "settings": {"rounds": rounds, "seconds": seconds, "server_core": server_core, "client_core": client_core},
        }
    results.write("server_latency", found)
    page.write()
    _show(console, found)
    if not all(row.holds for row in rows if row.bar_ms is not None):
        raise typer.Exit(1)


def _row(bench: Bench, model: Model, way: str, rounds: int, seconds: float) -> Row:
    bar_ms = BARS_MS.get(way) if model.name == BARRED else None
    try:
        with WAYS[way](bench, model) as p50_ms:
            pairs = [(_alone(bench, model, seconds), p50_ms(seconds)) for _ in range(rounds)]
    except BenchmarkError as exc:
        return Row(model.name, way, bar_ms=bar_ms, reason=str(exc))
    added = [served_ms - alone_ms for alone_ms, served_ms in pairs]
    return Row(
        model.name,
        way,
        median(alone_ms for alone_ms, _ in pairs),
        median(served_ms for _, served_ms in pairs),
        median(added),
        min(added),
        max(added),
        bar_ms,
        None if bar_ms is None else median(added) <= bar_ms,
    )


def _alone(bench: Bench, model: Model, seconds: float) -> float:
    """The runtime in process, while the server waits."""
    return in_process.load(model, bench.python, seconds=seconds, core=bench.server_core).p50_ms


def _show(console: Console, found: dict[str, Any]) -> None:
    table = Table("model", "way", "in process", "served", "added (low–high)", "bar")
    for row in found["rows"]:
        table.add_row(*figures.latency_cells(row))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
