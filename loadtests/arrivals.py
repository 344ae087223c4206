"""When requests are due and which payload each carries: pure functions of the block's numbers and its seed.

Every open load is a rate λ(t) in requests per second. The n-th request, counted from 0, is due when Λ(t) = ∫₀ᵗ λ
reaches n, the inverse of the cumulative rate; only Poisson's instants are drawn. All lie in [0, duration_s).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from loadtests import replay
from loadtests.block import Arrivals, Burst, Closed, Open, Ramp, Replay

Instants = NDArray[np.float64]
"""Seconds from the start of the block, ascending."""

Indices = NDArray[np.int32]


def schedule(arrivals: Arrivals, duration_s: float, seed: int) -> Instants:
    """When the requests of an open load are due; the same for every candidate.

    Raises ValueError for a rate or a duration that is not positive, and for a closed load, which has no schedule;
    `ReplayError` where the recorded file cannot be read.
    """
    match arrivals:
        case Open(rate_rps, "constant"):
            return constant(rate_rps, duration_s)
        case Open(rate_rps):
            return poisson(rate_rps, duration_s, seed)
        case Ramp(from_rps, to_rps):
            return ramp(from_rps, to_rps, duration_s)
        case Burst(rate_rps, burst_rps, every_s, burst_s):
            return burst(rate_rps, burst_rps, every_s, burst_s, duration_s)
        case Replay(file):
            return replay.read(file).until(duration_s).instants
        case Closed():
            raise ValueError("a closed load has no schedule: each request waits for the answer to the last")


def carried(arrivals: Arrivals, duration_s: float, seed: int, payloads: int, count: int) -> Indices:
    """Which of `payloads` payloads each of `count` requests carries: as the recording says, else drawn evenly.

    Raises `ReplayError` where a recording names a payload that there is not.
    """
    if isinstance(arrivals, Replay):
        recording = replay.read(arrivals.file)
        if recording.payloads is not None:
            recording.check_payloads(payloads)
            return recording.payloads[: len(recording.until(duration_s).instants)]
    return payload_draws(seed, payloads, count)


def constant(rate_rps: float, duration_s: float) -> Instants:
    """One instant every 1/rate_rps seconds: t = n/λ; raises ValueError where either is not positive."""
    _check_positive(rate_rps, duration_s)
    return np.arange(_count(rate_rps * duration_s), dtype=np.float64) / rate_rps


def poisson(rate_rps: float, duration_s: float, seed: int) -> Instants:
    """A Poisson process: the gaps are drawn from the exponential distribution of mean 1/λ, the first one from 0 on.

    A longer duration continues the same instants; there may be none at all. Raises ValueError as `constant` does.
    """
    _check_positive(rate_rps, duration_s)
    stream = _stream(seed, "arrivals")
    instants = np.empty(0)
    while not len(instants) or instants[-1] < duration_s:
        gaps = stream.exponential(1 / rate_rps, size=1024)
        instants = np.concatenate([instants, (instants[-1] if len(instants) else 0.0) + np.cumsum(gaps)])
    return instants[instants < duration_s]


def ramp(from_rps: float, to_rps: float, duration_s: float) -> Instants:
    """A rate that goes linearly from a to b over T seconds: Λ(t) = a·t + s·t² with s = (b - a)/(2T).

    Its inverse is t = 2n/(a + √(a² + 4·s·n)), the form of the quadratic formula that is exact at a = b and at a = 0.
    Raises ValueError where a rate is negative, or both are 0.
    """
    _check_positive(max(from_rps, to_rps), duration_s)
    if min(from_rps, to_rps) < 0:
        raise ValueError(f"expected rates of at least 0, found {from_rps} to {to_rps} requests/s")
    slope = (to_rps - from_rps) / (2 * duration_s)
    numbers = np.arange(_count((from_rps + to_rps) / 2 * duration_s), dtype=np.float64)
    below = from_rps + np.sqrt(np.maximum(from_rps**2 + 4 * slope * numbers, 0.0))
    return np.divide(2 * numbers, below, out=np.zeros_like(numbers), where=numbers > 0)


def burst(rate_rps: float, burst_rps: float, every_s: float, burst_s: float, duration_s: float) -> Instants:
    """A rate of `burst_rps` in the first `burst_s` of every `every_s` seconds, else `rate_rps`; Λ is piecewise linear.

    Raises ValueError where a figure is not positive, or a burst is longer than its period.
    """
    for rate in (rate_rps, burst_rps):
        _check_positive(rate, duration_s)
    if not 0 < burst_s <= every_s:
        raise ValueError(f"expected bursts of at most their period, found {burst_s} s every {every_s} s")
    begins = np.arange(math.ceil(duration_s / every_s)) * every_s
    edges = np.append(np.column_stack([begins, begins + burst_s]).ravel(), (len(begins)) * every_s)
    rates = np.tile([burst_rps, rate_rps], len(begins))
    reached = np.append(0.0, np.cumsum(rates * np.diff(edges)))
    instants: Instants = np.interp(np.arange(math.ceil(reached[-1])), reached, edges)
    # As in `_count`: rounding must not add a request that is due at the very end.
    return instants[instants < duration_s - 1e-9]


def payload_draws(seed: int, payloads: int, count: int) -> Indices:
    """Which payload each of `count` requests carries, drawn evenly."""
    return np.asarray(_stream(seed, "payloads").integers(payloads, size=count), dtype=np.int32)


def keep_slots(seed: int, keep: int, count: int) -> Indices:
    """In which of `keep` slots the response to each request is kept, -1 for none; a later one replaces an earlier.

    Algorithm R (Vitter 1985, "Random sampling with a reservoir"): whatever the number of requests turns out to be, each
    of them is equally likely to be among the kept, so a closed load needs no guess of how many it will send.
    """
    requests = np.arange(count)
    slots = _stream(seed, "responses").integers(requests + 1) if count else requests
    slots = np.where(requests < keep, requests, slots)
    return np.where(slots < keep, slots, -1).astype(np.int32)


def last_slots(slots: Indices) -> Indices:
    """`slots` with -1 for every request that a later one would replace: what is kept of a schedule known in full."""
    _, from_the_end = np.unique(slots[::-1], return_index=True)
    last = len(slots) - 1 - from_the_end
    kept = np.full_like(slots, -1)
    kept[last] = slots[last]
    return kept


def _check_positive(rate_rps: float, duration_s: float) -> None:
    if not (0 < rate_rps < math.inf and 0 < duration_s < math.inf):
        raise ValueError(f"expected a positive rate and duration, found {rate_rps} requests/s for {duration_s} s")


def _count(cumulative: float) -> int:
    """How many n ≥ 0 are below Λ(T). 0.1 × 30 is 3.0000000000000004, and not a fourth request due after the end."""
    return math.ceil(cumulative - 1e-9)


def _stream(seed: int, purpose: str) -> np.random.Generator:
    """A generator of its own for each purpose, so that keeping more responses does not change what is sent."""
    return np.random.default_rng([seed, *purpose.encode()])
