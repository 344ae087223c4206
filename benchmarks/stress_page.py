"""`docs/server_stress.md`, written from the results: no figure on it is typed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks import results
from benchmarks.pinned import ROOT

PAGE = ROOT / "docs" / "server_stress.md"

Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
"""Title, headings and rows."""

_INTRODUCTION = """\
# The reference server under stress

*Written by `python -m benchmarks.server_stress` from `benchmarks/results/server_stress.json`; edit
those, not this page.*

The server has one core, on which it computes too: an ONNX model of 80 matrix products on one thread, not batched, with
the server's default options. The load generator, this project's own, has another core. Latencies count from the instant
at which a request was due. Capacity is the throughput of 32 clients that each wait for their answer; the p99 at
capacity is that of open arrivals at this rate. The slowest accepted requests of an overload are those of its first
moments, until 32 wait and it is taken for one. A request is lost where it was written before the server closed that
connection, and not answered.
"""


def write() -> None:
    """Replace the page with what the results say now."""
    found = results.read("server_stress")
    if found:
        PAGE.write_text("\n".join(_lines(found)) + "\n")


def tables(found: dict[str, Any]) -> Iterator[Table]:
    """What the page and the terminal show."""
    loads = {"32 clients": found["closed"]}
    loads |= {f"{fraction} of capacity": figures for fraction, figures in found["at"].items()}
    loads |= {"3× capacity": found["overload"], "50 %, reloading": found["reloads"]}
    yield (
        "Load",
        ("load", "offered/s", "answered/s", "accepted", "p50 ms", "p99 ms", "refused", "p50 ms", "p99 ms", "max ms"),
        [_load(name, figures) for name, figures in loads.items()],
    )
    yield (
        "SIGTERM under load",
        ("clients", "requests", "lost", "exit status", "ended after"),
        [
            (name, str(end["requests"]), str(end["lost"]), str(end["exit_status"]), f"{end['took_s']:.2f} s")
            for name, end in found["ends"].items()
        ],
    )
    bars: list[tuple[str, ...]] = [
        (bar["bar"], bar["seen"], "holds" if bar["holds"] else "**does not hold**") for bar in found["bars"]
    ]
    yield "Bars", ("bar", "seen", ""), bars


def _load(name: str, figures: dict[str, Any]) -> tuple[str, ...]:
    shown = ["offered_rps", "achieved_rps", "accepted", "accepted_p50_ms", "accepted_p99_ms", "refused"]
    shown += ["refused_p50_ms", "refused_p99_ms", "refused_max_ms"]
    return (name, *(_number(figures[key]) for key in shown))


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.1f}"


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield _INTRODUCTION
    for title, headings, rows in tables(found):
        yield f"## {title}\n"
        yield f"| {' | '.join(headings)} |"
        yield f"|{'---|' * len(headings)}"
        yield from (f"| {' | '.join(row)} |" for row in rows)
        yield ""
    machine, settings = found["environment"], found["settings"]
    yield "## Where and how\n"
    yield from (f"- {name.replace('_', ' ')}: {value}" for name, value in machine.items() if name != "wrk")
    options = [f"--{name.replace('_', '-')} {value:g}" for name, value in settings.items()]
    yield f"\n    python -m benchmarks.server_stress {' '.join(options)}"
