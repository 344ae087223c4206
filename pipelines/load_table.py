"""What `deploy-compare load` prints of its results: a table with units, gates with remedies, verdicts."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from pipelines.figures import number
from pipelines.results import Capacity, Cell, Comparison, Load, Results

WIDTH = 150
"""Of the table where the terminal is narrower, or there is none: figures are never cut."""
HEADER = (
    "server",
    "requests/s",
    "of offered",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "service p50 / p99 ms",
    "lag p99 ms",
    "CPU ms/request",
    "requests",
    "errors",
)
LEGEND = (
    "≤         a percentile's 99 % upper bound; percentiles are of latency, from intended, and service is from sent"
)


def show(results: Results, console: Console) -> None:
    """Print it; figures that too few requests support are `–`, and below a percentile is its upper bound."""
    table = Table(*HEADER, box=None, pad_edge=False)
    for cell in results.cells:
        for load in cell.loads:
            table.add_row(cell.server, *_figures(load))
    if table.rows:
        Console(file=console.file, width=max(console.width, WIDTH)).print(table, highlight=False)
        console.print(LEGEND, markup=False, highlight=False, soft_wrap=True)
    for line in _lines(results):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _figures(load: Load) -> tuple[str, ...]:
    latency, upper, service = load.latency_ms, load.latency_upper_ms, load.service_ms
    return (
        number(load.achieved_rps),
        number(load.offered_rps),
        _bounded(latency.p50, upper.p50),
        _bounded(latency.p90, upper.p90),
        _bounded(latency.p99, upper.p99),
        f"{number(service.p50)} / {number(service.p99)}",
        number(load.generator.lag_p99_ms),
        number(load.cpu_ms_per_request),
        f"{load.requests:,}",
        f"{load.errors:,}",
    )


def _bounded(value: float | None, upper: float | None) -> str:
    return number(value) if upper is None else f"{number(value)}\n≤ {number(upper)}"


def _lines(results: Results) -> Iterator[str]:
    for cell in results.cells:
        if cell.status != "ok":
            yield f"{cell.status.upper():<9} {cell.server}: {cell.reason}"
        if cell.capacity:
            yield f"capacity  {cell.server}: {_capacity(cell.capacity)}"
    named = {cell.id: cell for cell in results.cells}
    for each in results.comparisons:
        yield f"verdict   {_verdict(each, named)}"


def _capacity(found: Capacity) -> str:
    if found.rps is None:
        return f"{found.slo}: {found.reason}"
    interval = f" [{number(found.ci95[0])}, {number(found.ci95[1])}]" if found.ci95 else ""
    return f"{number(found.rps)} requests/s{interval} hold {found.slo}, {found.distribution} arrivals"


def _verdict(each: Comparison, cells: dict[str, Cell]) -> str:
    interval = f" [{each.ci95[0]:.3f}, {each.ci95[1]:.3f}]" if each.ci95 else ""
    more = f"; {each.more_blocks} more blocks of each would decide" if each.more_blocks else ""
    a, b = cells[each.a].server, cells[each.b].server
    return f"{each.metric}: {a} / {b} = {each.ratio:.3f}{interval}, {each.verdict} after {each.blocks} blocks{more}"
