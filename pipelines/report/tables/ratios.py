"""One row a comparison: the ratio, its interval, the verdict, and what would decide an open one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.figures import number
from pipelines.report.looks import Look
from pipelines.report.tables import NONE, Badge, Item, Row, Table, words
from pipelines.results import Cell, Comparison

METRICS = {
    "latency_ms.p50": "p50 latency",
    "latency_ms.p90": "p90 latency",
    "latency_ms.p99": "p99 latency",
    "achieved_rps": "throughput",
    "cpu_ms_per_request": "CPU per request",
}
OPEN_FIRST = ("latency_ms.p50", "latency_ms.p90", "latency_ms.p99", "cpu_ms_per_request", "achieved_rps")
CLOSED_FIRST = ("achieved_rps", "cpu_ms_per_request", "latency_ms.p50", "latency_ms.p90", "latency_ms.p99")


@dataclass(frozen=True)
class Ratios:
    """The comparisons of one workload."""

    workload: str
    by_metric: dict[str, tuple[Comparison, ...]]
    """Headline metrics first: latency under an open load, throughput under a closed one."""
    invalid: frozenset[str]
    """Ids of the cells whose load did not pass its gates."""
    table: Table


def of(cells: Sequence[Cell], comparisons: Sequence[Comparison], looks: Mapping[str, Look]) -> tuple[Ratios, ...]:
    """By workload, in order: the comparisons among these cells."""
    found = []
    mine = [one for one in comparisons if one.a in looks and one.b in looks]
    for workload in dict.fromkeys(one.workload for one in mine):
        loads = {cell.id: load for cell in cells for load in cell.loads if load.workload == workload}
        closed = bool(loads) and all(load.offered_rps is None for load in loads.values())
        by_metric = {
            metric: tuple(one for one in mine if (one.workload, one.metric) == (workload, metric))
            for metric in (CLOSED_FIRST if closed else OPEN_FIRST)
        }
        by_metric = {metric: some for metric, some in by_metric.items() if some}
        invalid = frozenset(name for name, load in loads.items() if not load.valid)
        labels = {name: look.label for name, look in looks.items()}
        found.append(Ratios(workload, by_metric, invalid, table(by_metric, labels, invalid)))
    return tuple(found)


def table(
    by_metric: Mapping[str, Sequence[Comparison]], labels: Mapping[str, str], invalid: frozenset[str] = frozenset()
) -> Table:
    columns = (
        ("Metric", ""),
        ("a", ""),
        ("b", ""),
        ("a / b", ""),
        ("95 % interval", ""),
        ("Verdict", ""),
        ("p", "Holm"),
        ("Blocks", "of each"),
        ("What would decide it", ""),
    )
    rows = []
    for metric, some in by_metric.items():
        for i, one in enumerate(some):
            spoiled = "invalid" * bool({one.a, one.b} & invalid)
            rows.append(Row(_items(METRICS[metric], one, labels), " ".join(("starts" * (i == 0), spoiled)).strip()))
    return Table(columns, tuple(rows)).without_empty()


def _items(metric: str, one: Comparison, labels: Mapping[str, str]) -> tuple[Item, ...]:
    return (
        words(metric),
        words(labels.get(one.a, one.a)),
        words(labels.get(one.b, one.b)),
        Item(f"{one.ratio:.3f}"),
        Item(interval(one)),
        Item(badges=(Badge(one.verdict, one.verdict),)),
        Item(number(one.p)),
        Item(str(one.blocks)),
        words(next_step(one)),
    )


def interval(one: Comparison) -> str:
    return f"{one.ci95[0]:.3f}–{one.ci95[1]:.3f}" if one.ci95 else NONE


def next_step(one: Comparison) -> str:
    """What an inconclusive comparison lacks; nothing for a decided one."""
    if one.verdict != "inconclusive":
        return NONE
    if one.more_blocks is not None:
        return f"{one.more_blocks:,} more block{'s' * (one.more_blocks != 1)} of each would decide"
    return "fewer than three pairs of blocks" if one.ci95 is None else "more blocks; how many is not known"


def counted(some: Sequence[Comparison]) -> str:
    """`4 different, 2 inconclusive`"""
    counts = {verdict: sum(one.verdict == verdict for one in some) for verdict in MARKS}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


MARKS = {"different": "≠", "equivalent": "=", "inconclusive": "?"}
"""Verdicts in one sign."""
