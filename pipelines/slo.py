"""Whether a block met a service level objective: its percentiles, its errors, and that the server kept up. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loadtests import samples
from loadtests.gates import ACHIEVED_SHORTFALL
from loadtests.samples import Samples
from pipelines.experiment import Slo

FALLING_BEHIND = 0.01
"""A server whose latency grows by more than this much of a second each second is offered more than it serves."""


def limits_ms(slo: Slo) -> dict[float, float]:
    """The bound on each quantile that has one, the highest quantile last."""
    given = {0.50: slo.p50_ms, 0.90: slo.p90_ms, 0.99: slo.p99_ms}
    return {quantile: limit for quantile, limit in given.items() if limit is not None}


def highest(slo: Slo) -> float:
    """The highest quantile that has a bound."""
    return list(limits_ms(slo))[-1]


def limit_ms(slo: Slo) -> float:
    """What an answer is worth waiting for: the bound on the highest percentile that has one."""
    return limits_ms(slo)[highest(slo)]


def describe(slo: Slo) -> str:
    """`p99 ≤ 20 ms, errors ≤ 0.1 %`."""
    bounds = [f"p{quantile * 100:.0f} ≤ {limit:g} ms" for quantile, limit in limits_ms(slo).items()]
    return ", ".join([*bounds, f"errors ≤ {100 * slo.max_error_rate:g} %"])


def met(block: Samples, slo: Slo) -> bool:
    """Whether an open block held the SLO and its backlog did not grow; errors are infinitely slow.

    Percentiles are nearest rank. Of a loose bound and a short block they say too little: an overloaded server's latency
    has to grow for a while before it reaches the bound. So it must have kept up as well (`kept_up`).
    """
    if not len(block.ok):
        return False
    latency_ms = samples.latencies_ms(block)
    within = all(samples.nearest_rank(latency_ms, q) <= limit for q, limit in limits_ms(slo).items())
    return within and float(np.mean(~block.ok)) <= slo.max_error_rate and kept_up(block, slo)


def kept_up(block: Samples, slo: Slo) -> bool:
    """Whether the server answered as fast as it was asked.

    Latency must not grow over the window: (median of the last third − median of the first) / (2/3 of the window) is
    how much later each second the answers came, and 1 − 1/ρ for a server that is offered ρ times what it serves. And
    what was left at the window's end must be no more than the SLO itself lets wait: a server that answers the newest
    first, and lets the others starve, has good medians.
    """
    return (
        not _falls_behind(block)
        and _answered_share(block)
        >= 1
        - max(ACHIEVED_SHORTFALL, limit_ms(slo) / 1e3 / block.duration_s, 1 / len(block.ok)) * (1 + 1e-9)
        - slo.max_error_rate
    )


def _falls_behind(block: Samples) -> bool:
    first, last = (_median_latency_s(block, part) for part in (0, 2))
    if last is None:
        return first is not None
    return first is not None and (last - first) / (block.duration_s * 2 / 3) > FALLING_BEHIND


def _median_latency_s(block: Samples, part: int) -> float | None:
    """Of the right answers to requests intended in one third of the window."""
    third_s = block.duration_s / 3
    inside: NDArray[np.bool_] = (block.intended >= part * third_s) & (block.intended < (part + 1) * third_s) & block.ok
    return float(np.median((block.end - block.intended)[inside])) if inside.any() else None


def _answered_share(block: Samples) -> float:
    return samples.achieved_rps(block) * block.duration_s / len(block.ok)
