"""Servers of a known delay: our percentiles beside the delays that were injected."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import WrongAnswer
from benchmarks.truth_parts import delays
from benchmarks.truth_parts.delays import Delays
from benchmarks.truth_parts.row import Row
from benchmarks.truth_parts.stand import RATE_RPS, SEED, WARM_UP_S, Stand, percentiles_ms, told
from loadtests.block import Open

SERVER = "benchmarks.truth_parts.injecting"
BAR, BAR_MS = 0.03, 0.3
SURE = 0.999
QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}


def drawn_from(truth_ms: NDArray[np.float64], quantile: float, distribution: Delays) -> bool:
    """Whether so many delays of that distribution may have such a quantile: else the server's own word were the truth.

    The true quantile lies between the order statistics that Bin(n, q) names with `SURE` (Hahn & Meeker 1991, 5.2), give
    or take the bar: no answer leaves at the very instant.
    """
    from scipy import stats

    ordered = np.sort(truth_ms)
    low, high = stats.binom.interval(SURE, len(ordered), quantile)
    nominal_ms = distribution.quantile_ms(quantile)
    give_ms = max(BAR * nominal_ms, BAR_MS)
    most = len(ordered) - 1
    return bool(ordered[min(int(low), most)] - give_ms <= nominal_ms <= ordered[min(int(high), most)] + give_ms)


def rows(stand: Stand, seconds: float) -> Iterator[Row]:
    """A window of `seconds` for each distribution, Poisson arrivals."""
    for name, distribution in delays.BY_NAME.items():
        stand.say(f"injected delays: {name}")
        with stand.serving(["-m", SERVER, name, str(SEED)]) as url:
            stand.drive(url, Open(RATE_RPS), WARM_UP_S)
            told(url)
            seen = stand.drive(url, Open(RATE_RPS, "poisson"), seconds)
            truth_ms = told(url)[:, 0]
        if len(truth_ms) != len(seen.ok):
            raise WrongAnswer(f"{name}: {len(seen.ok)} requests sent, the server saw {len(truth_ms)}")
        ours, true = percentiles_ms((seen.end - seen.intended) * 1e3), percentiles_ms(truth_ms)
        service = percentiles_ms((seen.end - seen.sent) * 1e3)
        nominal = [distribution.quantile_ms(quantile) for quantile in QUANTILES.values()]
        asked = all(drawn_from(truth_ms, quantile, distribution) for quantile in QUANTILES.values())
        yield Row(
            f"injected delay: {distribution.described}",
            f"p50, p90, p99 within {BAR:.0%} or {BAR_MS:g} ms of the injected, which is drawn from that distribution",
            "; ".join(f"{p} {o:.2f} ms, injected {t:.2f}" for p, o, t in zip(QUANTILES, ours, true, strict=True))
            + ("" if asked else "; what was injected is NOT drawn from it"),
            asked and all(abs(o - t) <= max(BAR * t, BAR_MS) for o, t in zip(ours, true, strict=True)),
            {
                "requests": len(truth_ms),
                "latency_ms": dict(zip(QUANTILES, ours, strict=True)),
                "service_ms": dict(zip(QUANTILES, service, strict=True)),
                "injected_ms": dict(zip(QUANTILES, true, strict=True)),
                "nominal_ms": dict(zip(QUANTILES, nominal, strict=True)),
            },
        )
