"""Figures from raw samples: pure functions of what each request saw.

latency_ms = end - intended   what a user waits, however late the request was sent
service_ms = end - sent       what the server took, from the first byte written to the last byte read
lag_ms     = sent - intended  what the generator and its connections added

An error never flatters: it ranks as infinitely slow in every percentile, so a server that refuses its slowest tenth at
once does not get a better p90 than one that answers them late; a percentile that falls among the errors is None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtests.errors import SamplesError

CONFIDENCE = 0.99
ROUNDING_S = 1e-9
"""0.05 + 3.0 - 3.0 is not 0.05: an end on the edge of the window must not fall out of it."""
QUANTILES = (0.50, 0.90, 0.99)
Milliseconds = NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """The requests of one block, in the order they were intended; times in seconds from its start, NaN for never."""

    payload: NDArray[np.int32]
    intended: NDArray[np.float64]
    sent: NDArray[np.float64]
    end: NDArray[np.float64]
    ok: NDArray[np.bool_]
    status: NDArray[np.int16]
    """HTTP's; gRPC's OK is 200, its other codes are 1000 + code; 0 where there was no answer."""
    response_bytes: NDArray[np.int64]
    duration_s: float
    """The window in which requests were intended."""
    open: bool
    """Whether arrivals were open; else closed."""


COLUMNS = ("payload", "intended", "sent", "end", "ok", "status", "response_bytes")


@dataclass(frozen=True)
class Percentiles:
    """None where there are too few samples, or where the percentile falls among the errors."""

    p50: float | None
    p90: float | None
    p99: float | None


@dataclass(frozen=True)
class Figures:
    """What the requests of one block, or of several pooled, showed."""

    blocks: int
    requests: int
    errors: int
    duration_s: float
    requests_per_s: float
    """`achieved_rps` of the blocks, weighted by their windows."""
    latency_ms: Percentiles
    latency_upper_ms: Percentiles
    """One-sided 99 % upper confidence bounds, as `upper_bound_ms` defines them."""
    service_ms: Percentiles
    lag_ms: Percentiles
    lag_p99_seen_ms: float
    """The `lag_rank`-th smallest lag, for the gate; inf where the requests from there on never left."""


@dataclass(frozen=True)
class Interval:
    """The requests intended in one interval of the window. None: too few, or errors, which are infinitely slow."""

    at_s: float
    """Its middle, from the start of the window."""
    requests: int
    p50_ms: float | None
    p90_ms: float | None
    worst_ms: float | None


def figures(*blocks: Samples) -> Figures:
    """The figures of the blocks' requests taken together; raises ValueError without any block."""
    if not blocks:
        raise ValueError("expected the samples of at least one block")
    intended, sent, end, ok = (
        np.concatenate([getattr(block, name) for block in blocks]) for name in ("intended", "sent", "end", "ok")
    )
    duration_s = sum(block.duration_s for block in blocks)
    lag_ms = np.nan_to_num((sent - intended) * 1e3, nan=np.inf)
    latency_ms = np.where(ok, (end - intended) * 1e3, np.inf)
    return Figures(
        blocks=len(blocks),
        requests=len(ok),
        errors=int(np.count_nonzero(~ok)),
        duration_s=duration_s,
        requests_per_s=sum(achieved_rps(block) * block.duration_s for block in blocks) / duration_s,
        latency_ms=_percentiles(latency_ms),
        latency_upper_ms=Percentiles(*(upper_bound_ms(latency_ms, quantile) for quantile in QUANTILES)),
        service_ms=_percentiles(np.where(ok, (end - sent) * 1e3, np.inf)),
        lag_ms=_percentiles(lag_ms),
        lag_p99_seen_ms=_ranked(lag_ms, lag_rank(len(lag_ms))) if len(lag_ms) else math.inf,
    )


def spectrum(blocks: Sequence[Samples], percentiles: Sequence[float]) -> list[tuple[float, float]]:
    """(percentile, latency in ms) of the blocks' requests taken together, leaving out what too few samples support."""
    latency_ms = np.concatenate([latencies_ms(block) for block in blocks])
    found = ((percentile, _percentile(latency_ms, percentile / 100)) for percentile in percentiles)
    return [(percentile, value) for percentile, value in found if value is not None]


def achieved_rps(samples: Samples) -> float:
    """Right answers per second of a window as long as the one in which requests were intended.

    Closed: the answers that ended before `duration_s`. Open: the answers that ended in [m, m + duration_s], m being the
    median latency: a constant latency then takes nothing away (counting in [0, duration_s] would book a 50 ms model
    in a 3 s block as 1.7 % short), while the growing queue of an overloaded server still leaves only what it can serve.
    """
    return float(np.count_nonzero(_in_time(samples)) / samples.duration_s)


def _in_time(samples: Samples) -> NDArray[np.bool_]:
    """Of each request, whether it was rightly answered within the window of `achieved_rps`."""
    end, ok = samples.end, samples.ok
    if not ok.any():
        return ok
    shift = nearest_rank(end[ok] - samples.intended[ok], 0.5) if samples.open else 0.0
    within: NDArray[np.bool_] = ok & (end >= shift - ROUNDING_S) & (end <= shift + samples.duration_s + ROUNDING_S)
    return within


def latencies_ms(samples: Samples) -> Milliseconds:
    """Of each request, from its intended instant; inf for an error."""
    return np.where(samples.ok, (samples.end - samples.intended) * 1e3, np.inf)


def goodput_rps(samples: Samples, limit_ms: float) -> float:
    """Of the answers that `achieved_rps` counts, those within `limit_ms` of their intended instant, per second."""
    good = _in_time(samples) & (latencies_ms(samples) <= limit_ms)
    return float(np.count_nonzero(good) / samples.duration_s)


def over_time(blocks: Sequence[Samples], intervals: int) -> list[Interval]:
    """Latency over the window, cut into that many equal intervals, the blocks laid over each other.

    A request belongs to the interval in which it was intended: a stall shows where it began to be felt, not where the
    answers came at last. Empty intervals are left out.
    """
    width_s = max(block.duration_s for block in blocks) / intervals
    latency_ms = np.concatenate([latencies_ms(block) for block in blocks])
    at = np.concatenate([block.intended for block in blocks]) // width_s
    found = ((index, latency_ms[np.clip(at, 0, intervals - 1) == index]) for index in range(intervals))
    return [_interval((index + 0.5) * width_s, inside) for index, inside in found if len(inside)]


def _interval(at_s: float, latency_ms: Milliseconds) -> Interval:
    worst_ms = float(latency_ms.max())
    return Interval(
        at_s=at_s,
        requests=len(latency_ms),
        p50_ms=_percentile(latency_ms, 0.50),
        p90_ms=_percentile(latency_ms, 0.90),
        worst_ms=worst_ms if math.isfinite(worst_ms) else None,
    )


def upper_bound_ms(latencies: Milliseconds, quantile: float) -> float | None:
    """The one-sided 99 % upper confidence bound of a quantile, whatever the distribution.

    It is the smallest order statistic k with P(Bin(n, quantile) ≤ k − 1) ≥ 99 % (Hahn & Meeker, Statistical Intervals,
    1991, 5.2; MLPerf's early stopping turns the same bound around). It assumes independent requests. None where n <
    `samples_needed(quantile)`, for which even the largest sample is no such bound, and where it falls among errors.
    """
    from scipy.stats import binom

    if len(latencies) < samples_needed(quantile):
        return None
    value = _ranked(latencies, min(len(latencies), int(binom.ppf(CONFIDENCE, len(latencies), quantile)) + 1))
    return value if math.isfinite(value) else None


def samples_needed(quantile: float) -> int:
    """The fewest samples from which a quantile is told with 99 % confidence: the smallest n with quantile^n ≤ 1 %.

    With fewer, chances are above 1 % that none of them lies beyond the true quantile. It is the bound of MLPerf's early
    stopping with no sample over (https://github.com/mlcommons/inference_policies): p50 7, p90 44, p99 459.
    """
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(quantile))


def nearest_rank(values: Milliseconds, quantile: float) -> float:
    """The smallest value that at least `quantile` of them do not exceed: a value that was seen, never interpolated."""
    return _ranked(values, _rank(quantile, len(values)))


def lag_rank(requests: int) -> int:
    """Which of so many lags, from the smallest, a gate judges: the p99's, whether or not it can be told.

    Of fewer than 100 requests it is the last but one: a single late request of a short block is not its p99.
    """
    return _rank(min(0.99, 1 - 1 / requests), requests) if requests else 0


def _rank(quantile: float, count: int) -> int:
    return max(1, math.ceil(quantile * count - 1e-9))


def _ranked(values: Milliseconds, rank: int) -> float:
    """The `rank`-th smallest, from 1."""
    return float(np.partition(values, rank - 1)[rank - 1])


def _percentiles(values: Milliseconds) -> Percentiles:
    return Percentiles(*(_percentile(values, quantile) for quantile in QUANTILES))


def _percentile(values: Milliseconds, quantile: float) -> float | None:
    if len(values) < samples_needed(quantile):
        return None
    value = nearest_rank(values, quantile)
    return value if math.isfinite(value) else None


def read(path: str | Path) -> Samples:
    """Read a block's Parquet file; raises `SamplesError` where it is missing or not one of ours."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, page_checksum_verification=True)
        metadata: dict[bytes, bytes] = table.schema.metadata or {}
        columns: dict[str, Any] = {name: table.column(name).to_numpy() for name in COLUMNS}
        return Samples(**columns, duration_s=float(metadata[b"duration_s"]), open=metadata[b"arrivals"] == b"open")
    except (OSError, KeyError, ValueError, pa.ArrowException) as exc:
        raise SamplesError(f"{path}: expected the samples of a block: {exc}") from exc
