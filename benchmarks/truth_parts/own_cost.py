"""What the generator itself costs, how late it sends, and how much it can send at most."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

from benchmarks.errors import LoadFailed
from benchmarks.pinned import Command, running
from benchmarks.truth_parts.injecting import AT_ONCE
from benchmarks.truth_parts.row import Row
from benchmarks.truth_parts.stand import SEED, WARM_UP_S, Stand, percentiles_ms
from loadtests import samples
from loadtests.block import Closed, Open

SERVER = ["-m", "benchmarks.truth_parts.injecting", AT_ONCE, str(SEED)]
RATE_RPS = 500.0
CPU_BAR_US = 200.0
LAG_BAR_MS = 1.5
CEILING_BAR = 1.5
USERS = (1, 4, 16, 64)
TIMES = 2


def rows(stand: Stand, seconds: float) -> Iterator[Row]:
    """An open load of `seconds` at 500/s; closed ones of a tenth of it for the ceiling."""
    with stand.serving(SERVER) as url:
        stand.drive(url, Open(RATE_RPS), WARM_UP_S)
        stand.say(f"the generator at {RATE_RPS:g}/s")
        result = stand.generator.run(stand.block(url, Open(RATE_RPS), seconds))
        seen = samples.read(result.samples)
        yield from _cost(result.generator.cpu_fraction, seen)
        yield _ceiling(stand, url, seconds / 10)


def _cost(cpu_fraction: float, seen: samples.Samples) -> Iterator[Row]:
    cpu_us = 1e6 * cpu_fraction / RATE_RPS
    lag_ms = percentiles_ms((seen.sent - seen.intended) * 1e3)
    yield Row(
        f"CPU of the generator per request, open at {RATE_RPS:g}/s",
        f"at most {CPU_BAR_US:g} µs",
        f"{cpu_us:.0f} µs",
        cpu_us <= CPU_BAR_US,
        {"cpu_us": cpu_us, "seconds": seen.duration_s},
    )
    yield Row(
        f"lag of its requests, p99, open at {RATE_RPS:g}/s",
        f"at most {LAG_BAR_MS:g} ms",
        f"{lag_ms[2]:.2f} ms (p50 {lag_ms[0]:.2f}, p90 {lag_ms[1]:.2f})",
        lag_ms[2] <= LAG_BAR_MS,
        {"lag_ms": lag_ms, "requests": len(seen.ok)},
    )


def _ceiling(stand: Stand, url: str, seconds: float) -> Row:
    """The most that each reaches with any number of users, in the order ABBA."""
    arms: dict[str, Callable[[Stand, str, int, float], float]] = {"ours": _ours, "FastHttpUser": _fast_http_user}
    found: dict[str, dict[int, float]] = {name: {} for name in arms}
    for turn in range(TIMES):
        for users in USERS:
            for name in sorted(arms, reverse=turn % 2 == 0):
                stand.say(f"ceiling: {name}, {users} users, {turn + 1} of {TIMES}")
                rps = arms[name](stand, url, users, seconds)
                found[name][users] = max(rps, found[name].get(users, 0.0))
    ours, theirs = (max(found[name].values()) for name in arms)
    return Row(
        "most requests/s of one generator, closed, beside Locust's FastHttpUser",
        f"at least {CEILING_BAR:g}×",
        f"{ours:,.0f}/s, FastHttpUser {theirs:,.0f}/s: {ours / theirs:.2f}×",
        ours / theirs >= CEILING_BAR,
        {"rps_by_users": found, "seconds": seconds},
    )


def _ours(stand: Stand, url: str, users: int, seconds: float) -> float:
    return stand.generator.run(stand.block(url, Closed(users), seconds)).achieved_rps


def _fast_http_user(stand: Stand, url: str, users: int, seconds: float) -> float:
    log = stand.folder / "fast_http.log"
    argv = [sys.executable, "-m", "benchmarks.truth_parts.fast_http", url, str(users), f"{seconds:g}"]
    with running(Command(argv), stand.client_core, log) as process:
        deadline = time.perf_counter() + seconds + 60
        while not process.ended():
            if time.perf_counter() > deadline:
                raise LoadFailed(f"FastHttpUser did not end: {process.said()}")
            time.sleep(0.2)
        try:
            return float(log.read_text().splitlines()[-1])
        except (IndexError, ValueError) as exc:
            raise LoadFailed(f"FastHttpUser: {process.said()}") from exc
