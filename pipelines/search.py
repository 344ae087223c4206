"""Where the next trial of a capacity search goes, and what the trials say. Pure: the trials so far decide alone.

1. Bracket: the rate doubles until a trial fails, or halves until one holds.
2. Bisect: the geometric middle of the highest rate that held and the lowest that failed, until they are 3 % apart.
3. Replicate: an up-and-down staircase (W. J. Dixon and A. M. Mood, 1948) around the boundary: up a step of 1.5 % after
   a trial that held, down after one that failed; after three alike the step doubles until the outcome turns, for a
   bracket that chance had misplaced. It ends `replicates` trials after its first turn.

What is estimated is the rate that holds in half of such trials. Each trial says only whether it held, so the estimate
is that of a psychometric function (A. B. Watson and D. G. Pelli, 1983): P(held | rate) = λ + (1 − 2λ) / (1 + e^z),
z = (ln rate − ln capacity) / s, with λ = 2 % for a trial that failed, or held, for a reason of its own. The posterior
is taken on a grid, over ln capacity with a flat prior and over the spread s with a log-uniform one from 0.2 % to 10 %.
The estimate is its median and the 95 % interval its 2.5th and 97.5th percentiles, never narrower than half a step each
way: between two rates that were never tried in between nothing is known. Where every failure near it is one of the
generator, the generator is what was found, not the server.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HIGHEST_RPS = 20_000.0
LOWEST_RPS = 0.5
RESOLUTION = math.log(1.03)
STEP = RESOLUTION / 2
ALIKE = 3
"""So many equal outcomes in a row double the staircase's step."""
MOST_REPLICATES = 3
"""Times `replicates`: the staircase ends then, whether or not it turned."""
LAPSE = 0.02
SPREADS = np.geomspace(0.002, 0.1, 25)


@dataclass(frozen=True)
class Tried:
    """One finished trial that counts."""

    rate_rps: float
    held: bool
    beyond_generator: bool = False
    """The load generator was at its ceiling: it says where not to go, but nothing of the server. Not held."""


@dataclass(frozen=True)
class Found:
    """The search ended: with a capacity in requests/s and its 95 % confidence interval, or with a reason."""

    rps: float | None
    ci95: tuple[float, float] | None = None
    reason: str | None = None
    at_least_rps: float | None = None
    """Without a capacity: a rate that was held, where what ended the search was not the server."""


def advance(tried: Sequence[Tried], start_rps: float, replicates: int) -> float | Found:
    """The rate of the next trial, or what the search found. The trials are all those that count, in their order."""
    if not tried:
        return _bounded(start_rps)
    at = 1
    while at < len(tried) and tried[at].held == tried[0].held:
        at += 1
    if at == len(tried):
        return _outwards(tried[-1])
    low, high = sorted([math.log(tried[at - 1].rate_rps), math.log(tried[at].rate_rps)])
    at += 1
    while high - low > RESOLUTION + 1e-9:
        middle = (low + high) / 2
        if at == len(tried):
            return math.exp(middle)
        low, high = (middle, high) if tried[at].held else (low, middle)
        at += 1
    return _staircase(tried, at, (low + high) / 2, replicates)


def _bounded(rate_rps: float) -> float:
    return min(HIGHEST_RPS, max(LOWEST_RPS, rate_rps))


def _outwards(last: Tried) -> float | Found:
    if last.held and last.rate_rps >= HIGHEST_RPS:
        reason = f"held at {HIGHEST_RPS:,.0f}/s, the highest rate that is tried"
        return Found(None, reason=reason, at_least_rps=last.rate_rps)
    if not last.held and last.rate_rps <= LOWEST_RPS:
        return Found(None, reason=f"does not hold the SLO at {LOWEST_RPS:g}/s, the lowest rate that is tried")
    return _bounded(last.rate_rps * (2 if last.held else 0.5))


def _staircase(tried: Sequence[Tried], begins: int, log_rate: float, replicates: int) -> float | Found:
    """`tried[begins:]` are its trials, from `log_rate` on."""
    steps = tried[begins:]
    alike, turned_at = 0, None
    for index, trial in enumerate(steps):
        if index and trial.held != steps[index - 1].held:
            turned_at = index if turned_at is None else turned_at
            alike = 0
        alike += 1
        step = STEP * 2 ** (max(0, alike - ALIKE + 1))
        log_rate = min(math.log(HIGHEST_RPS), max(math.log(LOWEST_RPS), log_rate + (step if trial.held else -step)))
    enough = turned_at is not None and len(steps) - (turned_at - 1) >= replicates
    if enough or len(steps) >= MOST_REPLICATES * replicates:
        return estimate(tried)
    return math.exp(log_rate)


def estimate(tried: Sequence[Tried]) -> Found:
    """What the trials say of the capacity; raises `ValueError` without one that held and one that failed."""
    found = _posterior(tried)
    failed = [trial for trial in tried if not trial.held]
    lowest = min(failed, key=lambda trial: trial.rate_rps)
    near = [trial for trial in failed if found.ci95 and trial.rate_rps <= found.ci95[1] * math.exp(STEP)]
    if all(trial.beyond_generator for trial in near or [lowest]):
        reason = f"the generator, not the server, is the bound: it is at its ceiling at {lowest.rate_rps:.4g}/s"
        return Found(None, reason=reason, at_least_rps=max(trial.rate_rps for trial in tried if trial.held))
    return found


def _posterior(tried: Sequence[Tried]) -> Found:
    held = np.array([trial.held for trial in tried])
    if held.all() or not held.any():
        raise ValueError("a capacity lies between a rate that held and one that failed")
    rates = np.log([trial.rate_rps for trial in tried])
    grid = np.arange(rates.min(), rates.max() + STEP / 16, STEP / 8)
    z = (rates[:, None, None] - grid[None, :, None]) / SPREADS[None, None, :]
    p_held = LAPSE + (1 - 2 * LAPSE) / (1 + np.exp(np.clip(z, -500, 500)))
    log_likelihood = np.where(held[:, None, None], np.log(p_held), np.log1p(-p_held)).sum(axis=0)
    posterior = np.exp(log_likelihood - log_likelihood.max()).sum(axis=1)
    below = np.cumsum(posterior) / posterior.sum()
    low, middle, high = (float(grid[np.searchsorted(below, share)]) for share in (0.025, 0.5, 0.975))
    low, high = min(low, middle - STEP / 2), max(high, middle + STEP / 2)
    return Found(math.exp(middle), (math.exp(low), math.exp(high)))
