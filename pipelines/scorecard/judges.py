"""Who leads on one line, and on what evidence: each kind of figure has its own rule. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines import stats
from pipelines.figures import number
from pipelines.results import Cell, Comparison
from pipelines.scorecard.lines import Path

ONCE_EFFECT = 0.10
"""A figure measured once per cell (memory) has no spread to judge by: a lead is claimed from 10 % only."""


@dataclass(frozen=True)
class Judgement:
    leader: str | None
    factor: float | None
    evidence: str


Judge = Callable[[Path, Path, bool], Judgement]
"""`judge(torch's best, tensorflow's best, higher is better)`"""


def _lead(a: Path, b: Path, higher: bool, evidence: str) -> Judgement:
    torch_leads = (a.value > b.value) == higher
    factor = max(a.value, b.value) / min(a.value, b.value) if min(a.value, b.value) > 0 else None
    return Judgement("torch" if torch_leads else "tensorflow", factor, evidence)


def exact(a: Path, b: Path, higher: bool) -> Judgement:
    if max(a.value, b.value) <= min(a.value, b.value) * (1 + stats.DIFFERENT_EFFECT):
        return Judgement(None, None, "within 2 %")
    return _lead(a, b, higher, "counted, not sampled")


def once(a: Path, b: Path, higher: bool) -> Judgement:
    if max(a.value, b.value) <= min(a.value, b.value) * (1 + ONCE_EFFECT):
        return Judgement(None, None, "within 10 %, and measured once")
    return _lead(a, b, higher, "measured once; a lead is claimed from 10 %")


def within(band: float) -> Judge:
    def judge(a: Path, b: Path, higher: bool) -> Judgement:
        worst = max(abs(a.value - b.value), 0.0)
        if worst <= band:
            return Judgement(None, None, f"both within the tolerance ({band:g})")
        return _lead(a, b, higher, f"further apart than the tolerance ({band:g})")

    return judge


def by_cold_starts(cells: Sequence[Cell]) -> Judge:
    starts = {cell.id: cell.deploy.cold_start_s for cell in cells if cell.deploy}

    def judge(a: Path, b: Path, higher: bool) -> Judgement:
        ratio = stats.independent_ratio(starts[a.cell], starts[b.cell])
        if ratio.ci95 is None or stats.verdict(ratio, ratio.p) != "different":
            starts_seen = f"{ratio.pairs} start{'s' * (ratio.pairs != 1)}"
            return Judgement(None, None, f"the spread of {starts_seen} supports none")
        return _lead(a, b, higher, f"95 % interval {_interval(ratio.ci95)} over {ratio.pairs} starts each")

    return judge


def by_blocks(workload: str, metric: str, comparisons: Sequence[Comparison]) -> Judge:
    def judge(a: Path, b: Path, higher: bool) -> Judgement:
        for found in comparisons:
            if (found.workload, found.metric) == (workload, metric) and {found.a, found.b} == {a.cell, b.cell}:
                break
        else:
            return Judgement(None, None, "too few requests in a block to compare blocks")
        if found.ci95 is None:
            few = "1 block is" if found.blocks == 1 else f"{found.blocks} blocks are"
            return Judgement(None, None, f"{few} too few to tell")
        if found.verdict != "different":
            more = f"; about {found.more_blocks} more would decide" if found.more_blocks else ""
            # The interval is of this pair alone: it may exclude 1 where p, adjusted for all pairs, does not convince.
            p = f", Holm's p {found.p:.2g}" if found.p is not None and found.verdict == "inconclusive" else ""
            interval = f"95 % interval {_interval(found.ci95)} over {found.blocks} blocks"
            return Judgement(None, None, f"{found.verdict}: {interval}{p}{more}")
        torch_over_tensorflow = found.ratio if found.a == a.cell else 1 / found.ratio
        leader = "torch" if (torch_over_tensorflow > 1) == higher else "tensorflow"
        factor = max(found.ratio, 1 / found.ratio)
        return Judgement(leader, factor, f"95 % interval {_interval(found.ci95)} over {found.blocks} paired blocks")

    return judge


def by_capacity(cells: Sequence[Cell]) -> Judge:
    """A lead where the two 95 % intervals do not touch.

    Capacities are searched one after the other and do not pair. Two 95 % intervals of about the same width keep apart
    by chance in 0.6 % of trials: stricter than the 5 % asked elsewhere, which drift between the searches makes good.
    """
    found = {cell.id: cell.capacity for cell in cells if cell.capacity}

    def judge(a: Path, b: Path, higher: bool) -> Judgement:
        if a.at_least and b.at_least:
            return Judgement(None, None, f"both held all that was tried, {number(a.value)} and {number(b.value)}/s")
        # Of a lower bound the interval has no end.
        x, y = ((path.value, math.inf) if path.at_least else found[path.cell].ci95 for path in (a, b))
        if x is None or y is None:
            return Judgement(None, None, "searched once, without an interval")
        intervals = f"95 % intervals {_range(x)} and {_range(y)} requests/s"
        if x[0] <= y[1] and y[0] <= x[1]:
            return Judgement(None, None, f"{intervals} overlap")
        return _lead(a, b, higher, f"{intervals} do not overlap")

    return judge


def _range(interval: tuple[float, float]) -> str:
    if math.isinf(interval[1]):
        return f"from {number(interval[0])}"
    return f"{number(interval[0])}–{number(interval[1])}"


def _interval(ci95: tuple[float, float]) -> str:
    """The interval of the factor, as a number above 1 where it lies below."""
    low, high = ci95 if ci95[0] * ci95[1] >= 1 else (1 / ci95[1], 1 / ci95[0])
    return f"{low:.2f}–{high:.2f}×"
