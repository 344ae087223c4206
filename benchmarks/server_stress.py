"""`python -m benchmarks.server_stress`: overload, reloads and the end under load, on one pinned core (three minutes).

Prints a table; writes `benchmarks/results/server_stress.json` and `docs/server_stress.md`. Exit status as of
`server_overhead`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import results, stress, stress_page
from benchmarks.environment import ClientCore, ServerCore, benchmarking, describe
from benchmarks.pinned import ROOT
from loadtests.launch import Generator
from tests.serving import running, slow

PRODUCTS = 80
"""Matrix products of the model, which make about 5 ms of it."""
LOADS = (0.95, 1.0)
"""Of capacity. The last is that of the bar; at the first, chance does not yet decide how long the queue gets."""
ENDS: dict[str, dict[str, Any]] = {
    "32 busy connections": {"connections": 32},
    "64 connections idle in between": {"connections": 64, "pause_s": 0.4},
    "16 clients, a connection a request": {"connections": 16, "anew": True},
    "8 connections, 4 requests pipelined": {"connections": 8, "pipelined": 4},
}


def main(
    seconds: Annotated[float, typer.Option(min=2, help="Length of the windows at capacity and beyond.")] = 30,
    reloads: Annotated[int, typer.Option(min=1)] = 100,
    server_core: ServerCore = 1,
    client_core: ClientCore = 0,
) -> None:
    """Measure the reference server where others break."""
    console = Console()
    with benchmarking(console, server_core, client_core), console.status("") as status:
        with tempfile.TemporaryDirectory(prefix="dc-") as scratch:
            found = _measure(Path(scratch), seconds, reloads, (server_core, client_core), status.update)
        found["environment"] = describe(ROOT)
    found["settings"] = {
        "seconds": seconds, "reloads": reloads, "server_core": server_core, "client_core": client_core,
    }  # fmt: skip
    results.write("server_stress", found)
    stress_page.write()
    _show(console, found)
    if not all(bar["holds"] for bar in found["bars"]):
        raise typer.Exit(1)


def _measure(scratch: Path, seconds: float, reloads: int, cores: tuple[int, int], say: Any) -> dict[str, Any]:
    repository = scratch / "models"
    running.add(slow.make(scratch / "made", PRODUCTS), repository, stress.MODEL)
    with Generator((cores[1],), scratch / "generator.log") as generator, stress.served(repository, *cores) as server:
        driver = stress.Driver(generator, scratch)
        stress.closed(driver, server, 1)  # warm-up
        say("capacity")
        closed = stress.closed(driver, server, max(5.0, seconds / 3))
        capacity_rps = closed["achieved_rps"]
        at = {}
        for fraction in LOADS:
            say(f"{fraction:.0%} of {capacity_rps:.0f} requests/s")
            at[f"{fraction:.0%}"] = stress.at_rate(driver, server, fraction * capacity_rps, seconds)
        p99_ms = at[f"{LOADS[-1]:.0%}"]["accepted_p99_ms"]
        say(f"{stress.OVERLOAD:g} times capacity")
        overload = stress.overloaded(driver, server, capacity_rps, 3 * p99_ms, seconds)
        say(f"{reloads} reloads")
        reloaded = stress.reloaded(driver, server, repository, capacity_rps / 2, reloads)
    ends = {}
    for name, clients in ENDS.items():
        say(f"SIGTERM, {name}")
        ends[name] = stress.ended(repository, *cores, **clients)
    found = {"closed": closed, "at": at, "p99_at_capacity_ms": p99_ms, "overload": overload, "reloads": reloaded}
    return found | {"ends": ends, "bars": _bars(closed, p99_ms, overload, reloaded, ends)}


def _bars(
    closed: dict[str, Any], p99_ms: float, overload: dict[str, Any], reloads: dict[str, Any], ends: dict[str, Any]
) -> list[dict[str, Any]]:
    """What was asked for, what was seen, and whether it holds."""
    unclear = overload["otherwise"]
    ratio = overload["accepted_p99_ms"] / p99_ms
    late = sum(end["lost"] + end["refused"] for end in ends.values())
    exits = {end["exit_status"] for end in ends.values()}
    soon = overload["refused_soon"] or 0.0
    refusals = f"{soon:.2%}, p99 {overload['refused_p99_ms'] or 0:.1f} ms, {unclear} without a clear status"
    bars = [
        (f"{stress.USERS} clients are not refused", f"{closed['refused']} refused", closed["refused"] == 0),
        ("refused within 50 ms, with a clear status (99 %)", refusals, soon >= 0.99 and not unclear),
        ("p99 of the accepted at most 3× that at capacity", f"{ratio:.2f}×", ratio <= 3),
        ("normal within 1 s", f"{overload['recovery_s']:.2f} s", overload["recovery_s"] <= 1),
        (f"{reloads['reloads']} reloads fail no request", f"{reloads['failed']} of {reloads['requests']}",
         not reloads["failed"] and not reloads["reloads_failed"] and not reloads["backwards"]),
        ("SIGTERM loses no request", f"{late} of {sum(end['requests'] for end in ends.values())}",
         not late and exits == {0}),
    ]  # fmt: skip
    return [{"bar": bar, "seen": seen, "holds": bool(holds)} for bar, seen, holds in bars]


def _show(console: Console, found: dict[str, Any]) -> None:
    for title, headings, rows in stress_page.tables(found):
        table = Table(*headings, title=title, title_justify="left")
        for row in rows:
            table.add_row(*row)
        console.print(table)


if __name__ == "__main__":
    typer.run(main)
