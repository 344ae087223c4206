"""`docs/server_overhead.md`, written from the results: no figure on it is typed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks import figures, results
from benchmarks.cases import CASES, IN_PROCESS
from benchmarks.pinned import ROOT

PAGE = ROOT / "docs" / "server_overhead.md"

_INTRODUCTION = """\
# What the reference server costs

*Written by the scripts in `benchmarks/` from `benchmarks/results/`; edit those, not this page.*

Every server has one core to itself, with all its processes on it; the load generator (wrk, compiled) has another. All
serve the same ONNX file with the same version of ONNX Runtime on one thread. Each answer is compared with the
runtime's in process before it counts, and a window with an error in it is not valid. Cores are kept awake where that
is allowed, as in every run. In each round our server and one peer are measured one right after the other, and the
ratio is of that pair; tables show medians over the rounds, with the lowest and highest ratio. A p99 is shown only
where each window has at least 459 requests.

A peer is measured through its own inference path, in the fastest encoding found for that path. Routes of one's own that
bypass it (MLServer's `custom_handler`, an ASGI application mounted in BentoML) are those of the web framework below it,
and are not measured. A way that works and is not in the peer's documentation (`kserve_raw`) is shown; no bar is
judged by it.
"""


def write() -> None:
    """Replace the page with what the results say now."""
    parts = [_INTRODUCTION]
    for name, section in (("server_overhead", _overhead), ("server_latency", _latency), ("server_batching", _batching)):
        if found := results.read(name):
            parts.append("\n".join(section(found)) + "\n")
    PAGE.write_text("\n".join(parts))


def _overhead(found: dict[str, Any]) -> Iterator[str]:
    yield "## Throughput beside the peers\n"
    yield f"8 connections, windows of {found['settings']['seconds']:g} s, {found['settings']['rounds']} rounds."
    for verdict in found["verdicts"]:
        case = CASES[verdict["case"]]
        yield f"\n### ({case.letter}) {case.title}\n"
        yield from _table(figures.HEADINGS, (figures.cells(row) for row in found["rows"] if row["case"] == case.name))
        light = next(row for row in found["one_connection"] if row["case"] == case.name)
        yield f"\n**{figures.sentence(case, verdict)}.**"
        yield f"Ours at one connection: p50 {figures.milliseconds(light['p50_ms'])}."
        if case.against_runtime:
            yield f"`{IN_PROCESS}` is the runtime called in a loop, on the same core: no server at all."
    yield "\n## How the peers are configured"
    for name, peer in found["peers"].items():
        yield f"\n### {name} {peer['version']}\n\n{peer['configuration']}\n"
        yield from (f"- {form}: {encoding}" for form, encoding in peer["encodings"].items())
        yield f"- ONNX Runtime {peer['onnxruntime']}"
    yield from _reproduce(found, "server_overhead")


def _latency(found: dict[str, Any]) -> Iterator[str]:
    yield "## Added latency at light load\n"
    yield "One connection, p50; added is the difference to the runtime in process, same core, same round. HTTP is asked"
    yield "by wrk, gRPC by h2load, both compiled; the time of grpcio's synchronous client in Python includes its own.\n"
    headings = ("model", "way", "in process", "served", "added (low–high)", "bar")
    yield from _table(headings, (figures.latency_cells(row) for row in found["rows"]))
    yield from _reproduce(found, "server_latency")


def _batching(found: dict[str, Any]) -> Iterator[str]:
    options = found["settings"]
    yield "## Dynamic batching\n"
    limits = f"batches of up to {options['max_batch_size']}, which wait up to {options['max_queue_delay_ms']:g} ms"
    yield f"{options['connections']} connections; {limits}. Ratios are with batching ÷ without, of the same round.\n"
    yield from _table(figures.BATCHING_HEADINGS, (figures.batching_cells(row) for row in found["rows"]))
    yield from _reproduce(found, "server_batching")


def _reproduce(found: dict[str, Any], script: str) -> Iterator[str]:
    machine = found["environment"]
    where = f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, Python {machine['python']}"
    yield f"\nMeasured on {machine['date']} at revision {machine['git_revision']}: {where}, {machine['wrk']}."
    yield f"Again, on a quiet machine: `.venv/bin/python -m benchmarks.{script}`."


def _table(headings: tuple[str, ...], rows: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{' --- |' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
