"""An SLO is met by a server that is fast enough, right often enough, and keeps up."""

from __future__ import annotations

import numpy as np
import pytest

from loadtests.samples import Samples
from pipelines.experiment import Slo
from pipelines.slo import describe, limit_ms, met

RATE_RPS, SECONDS = 200.0, 4.0
COUNT = int(RATE_RPS * SECONDS)
AT = np.arange(COUNT) / RATE_RPS
P99 = Slo(p99_ms=20)
LOOSE = Slo(p99_ms=5000)


def block(latency_s: np.ndarray, wrong: int = 0) -> Samples:
    ok = np.arange(COUNT) % max(1, COUNT // wrong if wrong else COUNT + 1) != 1
    return Samples(
        payload=np.zeros(COUNT, dtype=np.int32),
        intended=AT,
        sent=AT,
        end=AT + latency_s,
        ok=ok if wrong else np.ones(COUNT, dtype=np.bool_),
        status=np.full(COUNT, 200, dtype=np.int16),
        response_bytes=np.full(COUNT, 1, dtype=np.int64),
        duration_s=SECONDS,
        open=True,
    )


def queued(served_rps: float) -> np.ndarray:
    """Latency behind one worker of that rate: every request waits for all before it."""
    done, latency_s = 0.0, []
    for at in AT:
        done = max(done, at) + 1 / served_rps
        latency_s.append(done - at)
    return np.array(latency_s)


def test_every_percentile_that_has_a_bound_must_be_within_it() -> None:
    slow_in_fifty = np.where(np.arange(COUNT) % 50 == 0, 0.050, 0.005)
    assert met(block(np.full(COUNT, 0.005)), P99)
    assert not met(block(slow_in_fifty), P99)
    assert met(block(slow_in_fifty), Slo(p90_ms=20))
    assert not met(block(slow_in_fifty), Slo(p50_ms=4, p90_ms=20))


def test_errors_are_bounded_apart_from_latency() -> None:
    fast = np.full(COUNT, 0.005)
    assert not met(block(fast, wrong=4), P99)
    assert met(block(fast, wrong=4), Slo(p99_ms=20, max_error_rate=0.01))


@pytest.mark.parametrize(("served_rps", "holds"), [(205.0, True), (200.5, True), (190.0, False), (100.0, False)])
def test_a_loose_bound_does_not_hide_that_the_queue_grows(served_rps: float, holds: bool) -> None:
    assert met(block(queued(served_rps)), LOOSE) is holds


def test_serving_the_newest_first_is_no_way_to_keep_up() -> None:
    starved = np.where(np.arange(COUNT) % 3 == 0, SECONDS + 1.0, 0.005)
    assert not met(block(starved), Slo(p50_ms=20))


def test_a_slow_but_steady_server_keeps_up() -> None:
    draw = np.random.default_rng(1)
    assert met(block(draw.gamma(4, 0.1, size=COUNT)), LOOSE)


def test_it_is_told_in_one_line() -> None:
    assert describe(Slo(p50_ms=5, p99_ms=20)) == "p50 ≤ 5 ms, p99 ≤ 20 ms, errors ≤ 0.1 %"
    assert limit_ms(Slo(p50_ms=5, p90_ms=10)) == 10
