"""`python -m benchmarks.server_batching`: our server with dynamic batching and without, on one core (five minutes).

Throughput at 32 connections must not be lower with batching, nor p99 at one connection higher. Prints a table; writes
`benchmarks/results/server_batching.json` and `docs/server_overhead.md`. Exit status as of `server_overhead`.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import figures, installs, models, page, results, wrk
from benchmarks.environment import CACHE, ClientCore, Rounds, ServerCore, Source, benchmarking, describe
from benchmarks.errors import BenchmarkError, LoadFailed
from benchmarks.models import Model
from benchmarks.pinned import ROOT
from benchmarks.reference import NAME, Reference
from benchmarks.rounds import WARM_UP_S
from benchmarks.served import check, served
from benchmarks.wrk import Window
from serving.engines.contract import Say

MODELS = ("resnet18", "wide_mlp")
CONNECTIONS = 32
P99_TOLERANCE = 1.05
"""Two equal servers' p99 differ by more than nothing: worse is what exceeds this ratio."""


@dataclass(frozen=True)
class Bench:
    """What is the same for every window."""

    without: Reference
    batching: Reference
    python: Path
    seconds: float
    server_core: int
    client_core: int


@dataclass(frozen=True)
class Row:
    """One model; ratios are with batching over without, one a round."""

    model: str
    rps_without: float | None = None
    rps_with: float | None = None
    throughput_ratios: list[float] = field(default_factory=list)
    throughput_holds: bool | None = None
    p99_without_ms: float | None = None
    p99_with_ms: float | None = None
    p99_ratios: list[float] = field(default_factory=list)
    p99_holds: bool | None = None
    reason: str | None = None


def main(
    rounds: Rounds = 3,
    seconds: Annotated[float, typer.Option(min=1, help="Length of a window; p99 needs 459 requests in it.")] = 15,
    max_batch_size: Annotated[int, typer.Option(min=2)] = 8,
    max_queue_delay_ms: Annotated[float, typer.Option(min=0)] = 2.0,
    server_core: ServerCore = 0,
    client_core: ClientCore = 1,
    source: Source = ROOT,
) -> None:
    """Measure dynamic batching in the reference server."""
    console = Console()
    options = ("--max-batch-size", str(max_batch_size), "--max-queue-delay-ms", f"{max_queue_delay_ms:g}")
    with benchmarking(console, server_core, client_core), console.status("") as status:
        wrk.require()
        without, batching = Reference(source), Reference(source, options)
        python = installs.ensure(NAME, without.requirements, CACHE, status.update)
        bench = Bench(without, batching, python, seconds, server_core, client_core)
        rows = [_row(bench, models.load(name, CACHE), rounds, status.update) for name in MODELS]
        found: dict[str, Any] = {
            "rows": [asdict(row) for row in rows],
            "environment": describe(source),
            "settings": {
                "rounds": rounds,
                "seconds": seconds,
                "connections": CONNECTIONS,
                "max_batch_size": max_batch_size,
                "max_queue_delay_ms": max_queue_delay_ms,
                "server_core": server_core,
                "client_core": client_core,
            },
        }
    results.write("server_batching", found)
    page.write()
    table = Table(*figures.BATCHING_HEADINGS)
    for row in found["rows"]:
        table.add_row(*figures.batching_cells(row))
    console.print(table)
    if not all(row.throughput_holds and row.p99_holds for row in rows):
        raise typer.Exit(1)


def _row(bench: Bench, model: Model, rounds: int, say: Say) -> Row:
    many, one = [], []
    try:
        with ExitStack() as stack:
            enter = stack.enter_context
            references = (bench.without, bench.batching)
            urls = [enter(served(reference, bench.python, model, bench.server_core)) for reference in references]
            for url, reference in zip(urls, references, strict=True):
                check(url, reference, model, "binary")
            for number in range(1, rounds + 1):
                say(f"round {number}: {model.name}")
                many.append(_pair(bench, model, urls, CONNECTIONS, number))
                one.append(_pair(bench, model, urls, 1, number))
    except BenchmarkError as exc:
        return Row(model.name, reason=str(exc))
    throughput = [batching.rps / without.rps for without, batching in many]
    p99 = [(w.p99_ms, b.p99_ms) for w, b in one if w.p99_ms is not None and b.p99_ms is not None]
    ratios = [batching_ms / without_ms for without_ms, batching_ms in p99]
    return Row(
        model.name,
        median(without.rps for without, _ in many),
        median(batching.rps for _, batching in many),
        throughput,
        median(throughput) >= 1,
        median(without_ms for without_ms, _ in p99) if p99 else None,
        median(batching_ms for _, batching_ms in p99) if p99 else None,
        ratios,
        median(ratios) <= P99_TOLERANCE if ratios else None,
    )


def _pair(bench: Bench, model: Model, urls: list[str], connections: int, number: int) -> tuple[Window, Window]:
    """Without batching and with it; which is first changes with the round. Raises `LoadFailed`, for errors too."""
    request = bench.without.request(model, "binary")
    drive = partial(wrk.load, request=request, connections=connections, core=bench.client_core)
    windows = {}
    for url in urls if number % 2 else reversed(urls):
        drive(url, seconds=WARM_UP_S)
        windows[url] = drive(url, seconds=bench.seconds)
        if windows[url].errors:
            raise LoadFailed(f"{windows[url].errors} responses were errors")
    return windows[urls[0]], windows[urls[1]]


if __name__ == "__main__":
    typer.run(main)
