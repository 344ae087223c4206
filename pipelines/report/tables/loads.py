"""One row a workload and cell: latencies with bound and spread, requests/s, CPU, gates. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtests.samples import samples_needed
from pipelines.figures import number
from pipelines.report.looks import Look
from pipelines.report.tables import NONE, Badge, Item, Row, Table, pooled, words
from pipelines.report.tables.cells import named
from pipelines.results import Cell, Gate, Load

QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}


def of(cells: Sequence[Cell]) -> list[tuple[Cell, Load]]:
    """The loads of the cells: workloads in order, cells within them."""
    workloads = dict.fromkeys(load.workload for cell in cells for load in cell.loads)
    return [(cell, load) for name in workloads for cell in cells for load in cell.loads if load.workload == name]


def table(cells: Sequence[Cell], looks: Mapping[str, Look]) -> Table:
    columns = (
        ("Workload", ""),
        ("Cell", ""),
        ("p50", "ms"),
        ("p90", "ms"),
        ("p99", "ms"),
        ("Service", "p50 / p99, ms"),
        ("Throughput", "requests/s"),
        ("Goodput", "requests/s in SLO"),
        ("CPU per request", "ms"),
        ("Requests", "errors"),
        ("Gates", ""),
    )
    rows, last = [], None
    for cell, load in of(cells):
        kind = " ".join(("starts" * (load.workload != last), "invalid" * (not load.valid))).strip()
        rows.append(Row(_items(cell, load, looks[cell.id].label), kind))
        last = load.workload
    return Table(columns, tuple(rows)).without_empty()


def _items(cell: Cell, load: Load, label: str) -> tuple[Item, ...]:
    offered = f"{number(load.offered_rps)} requests/s offered" if load.offered_rps else ""
    if load.payload_batch > 1:
        offered += f"{', ' * bool(offered)}{load.payload_batch} inputs each"
    blocks = load.blocks
    return (
        words(load.workload, below=offered),
        named(cell, label),
        *(percentile(load, name) for name in QUANTILES),
        _service(load),
        pooled(load.achieved_rps, [block.achieved_rps for block in blocks]),
        Item(number(load.goodput_rps)),
        pooled(load.cpu_ms_per_request, [block.cpu_ms_per_request for block in blocks], "no CPU account of the server"),
        Item(f"{load.requests:,} / {load.errors:,}"),
        gates(load.gates, load.valid),
    )


def percentile(load: Load, name: str) -> Item:
    """A percentile of all blocks with its upper bound, or why there is none."""
    value: float | None = getattr(load.latency_ms, name)
    blocks: list[float | None] = [getattr(block.latency_ms, name) for block in load.blocks]
    upper: float | None = getattr(load.latency_upper_ms, name)
    return pooled(value, blocks, why_absent(name, load.requests, load.errors), upper)


def _service(load: Load) -> Item:
    """From sent, where latency is from intended."""
    service = load.service_ms
    return Item(NONE if service.p50 is None else f"{number(service.p50)} / {number(service.p99)}")


def why_absent(name: str, requests: int, errors: int) -> str:
    """Why a percentile of so many requests is not stated."""
    needed = samples_needed(QUANTILES[name])
    if requests < needed:
        return f"too few requests: {name} needs {needed}, there were {requests}"
    return f"{name} falls among the {errors} errors, which rank as infinitely slow"


def gates(found: Sequence[Gate], valid: bool) -> Item:
    """One badge where all passed; else each failed one with what it saw, its limit, and the remedy below."""
    failed = [gate for gate in found if not gate.passed]
    if valid and not failed:
        badge = Badge(f"all {len(found)} passed", "ok", "; ".join(map(saw, found)))
        return Item(kind="text gates", badges=(badge,))
    badges = tuple(Badge(saw(gate), "failed", gate.remedy) for gate in failed)
    remedies = "; ".join(dict.fromkeys(gate.remedy for gate in failed))
    return Item(kind="text gates", badges=(Badge("invalid", "invalid"), *badges), below=remedies)


def saw(gate: Gate) -> str:
    """`lag 3.20 ms at p99, limit 1.00`"""
    return f"{gate.name} {measured(gate)}, limit {number(gate.limit)}"


def measured(gate: Gate) -> str:
    """`3.20 ms at p99`"""
    return f"{number(gate.value) if gate.value is not None else '∞'} {gate.unit}"
