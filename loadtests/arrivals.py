"""When requests are due and which payload each carries: pure functions of the block's numbers and its seed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Instants = NDArray[np.float64]
"""Seconds from the start of the block, ascending."""

Indices = NDArray[np.int32]


def constant(rate_rps: float, duration_s: float) -> Instants:
    """One instant every 1/rate_rps seconds in [0, duration_s); raises ValueError where either is not positive."""
    if not (0 < rate_rps < math.inf and 0 < duration_s < math.inf):
        raise ValueError(f"expected a positive rate and duration, found {rate_rps} requests/s for {duration_s} s")
    # 0.1 × 30 is 3.0000000000000004: without the slack that would be a fourth request, due after the end.
    count = math.ceil(rate_rps * duration_s - 1e-9)
    return np.arange(count, dtype=np.float64) / rate_rps


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


def _stream(seed: int, purpose: str) -> np.random.Generator:
    """A generator of its own for each purpose, so that keeping more responses does not change what is sent."""
    return np.random.default_rng([seed, *purpose.encode()])
