"""One row a cell whose capacity was searched, and one a trial of the search. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.figures import number
from pipelines.report.looks import Look
from pipelines.report.tables import NONE, Badge, Item, Row, Table, words
from pipelines.report.tables.cells import named
from pipelines.report.tables.loads import QUANTILES, why_absent
from pipelines.results import Capacity, Cell, Trial


def table(cells: Sequence[Cell], looks: Mapping[str, Look]) -> Table:
    columns = (
        ("Cell", ""),
        ("SLO", ""),
        ("Capacity", "requests/s"),
        ("95 % interval", "requests/s"),
        ("Arrivals", ""),
        ("Trials", ""),
        ("Why there is none", ""),
    )
    rows = [Row(_items(cell, cell.capacity, looks[cell.id].label)) for cell in cells if cell.capacity]
    return Table(columns, tuple(rows)).without_empty()


def _items(cell: Cell, capacity: Capacity, label: str) -> tuple[Item, ...]:
    ci95 = capacity.ci95
    return (
        named(cell, label),
        Item(capacity.slo),
        Item(_capacity(capacity), why=capacity.reason or ""),
        Item(f"{number(ci95[0])}–{number(ci95[1])}" if ci95 else NONE),
        words(capacity.distribution),
        Item(str(len(capacity.trials))),
        words(capacity.reason),
    )


def _capacity(capacity: Capacity) -> str:
    return number(capacity.rps) if capacity.at_least_rps is None else f"≥ {number(capacity.at_least_rps)}"


def trials(some: Sequence[Trial]) -> Table:
    """The blocks of one search, in the order they were measured."""
    columns = (
        ("Offered", "requests/s"),
        ("Throughput", "requests/s"),
        ("Goodput", "requests/s in SLO"),
        ("Requests", ""),
        ("Errors", ""),
        ("p50", "ms"),
        ("p90", "ms"),
        ("p99", "ms"),
        ("Lag p99", "ms"),
        ("Generator CPU", "% of a core"),
        ("SLO", ""),
    )
    return Table(columns, tuple(Row(_trial(one), "" if one.valid else "invalid") for one in some))


def _trial(one: Trial) -> tuple[Item, ...]:
    held = Badge("held", "ok") if one.held else Badge("broken", "failed")
    spoiled = Badge("invalid", "invalid", "a gate did not let it count")
    return (
        Item(number(one.rate_rps)),
        Item(number(one.achieved_rps)),
        Item(number(one.goodput_rps)),
        Item(f"{one.requests:,}"),
        Item(f"{one.errors:,}"),
        *(Item(number(getattr(one.latency_ms, name)), why=_why(one, name)) for name in QUANTILES),
        Item(number(one.generator.lag_p99_ms)),
        Item(number(100 * one.generator.cpu_fraction)),
        Item(badges=(held,) if one.valid else (spoiled, held)),
    )


def _why(one: Trial, name: str) -> str:
    return why_absent(name, one.requests, one.errors) if getattr(one.latency_ms, name) is None else ""
