"""Counting a thousand requests at a time: whatever is counted together, and whenever somebody asks, nothing is lost."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.reference import statistics
from serving.reference.statistics import Counts, Histogram, Statistics

NS = st.integers(0, 20_000_000_000)
REQUESTS = st.lists(st.tuples(NS, NS, st.booleans()), min_size=1, max_size=5)
"""Of one execution: how long each had waited, for how many nanoseconds more it was computed, and whether it failed."""


def told(executions: list[list[tuple[int, int, bool]]], ask_every: int) -> Counts:
    """What is counted where somebody asks after every `ask_every` executions."""
    found = Statistics()
    now_ns = time.perf_counter_ns()
    for number, requests in enumerate(executions, 1):
        rows = len(requests)
        for waited_ns, took_ns, failed in requests:
            found.computed(now_ns - took_ns - waited_ns, now_ns - took_ns, now_ns, rows, failed)
            rows = 0
        if number % ask_every == 0:
            assert found.counts.rows
    return found.counts


def observed(histogram: Histogram) -> dict[float, int]:
    bounds = (*histogram.bounds, float("inf"))
    return {bound: count for bound, count in zip(bounds, histogram.counts, strict=True) if count}


def counted(bounds: tuple[float, ...], values: list[float]) -> dict[float, int]:
    return dict(Counter((*bounds, float("inf"))[bisect_left(bounds, value)] for value in values))


@given(st.lists(REQUESTS, min_size=1, max_size=30), st.integers(1, 40))
def test_every_request_is_counted_once(executions: list[list[tuple[int, int, bool]]], ask_every: int) -> None:
    found = told(executions, ask_every)
    requests = [request for execution in executions for request in execution]
    for duration, failing in ((found.success, False), (found.fail, True)):
        whole = [waited + took for waited, took, failed in requests if failed == failing]
        assert (duration.count, duration.ns) == (len(whole), sum(whole))
    waits, times = [waited for waited, _, _ in requests], [took for _, took, _ in requests]
    assert (found.queue.count, found.queue.ns) == (len(requests), sum(waits))
    assert (found.compute.count, found.compute.ns) == (len(requests), sum(times))
    assert observed(found.queue_s) == counted(statistics.SECONDS, [waited / 1e9 for waited in waits])
    sizes = [len(execution) for execution in executions]
    assert observed(found.batch_rows) == counted(statistics.ROWS, [float(size) for size in sizes])
    assert observed(found.inference_s) == counted(statistics.SECONDS, [one[0][1] / 1e9 for one in executions])
    assert found.rows == sum(sizes)
    assert {rows: spent.count for rows, spent in found.batches.items()} == Counter(sizes)


def test_thousands_are_counted_before_anybody_asks() -> None:
    found = Statistics()
    for number in range(5000):
        found.computed(0, 10, 30, 1, failed=number % 5 == 0)
    assert len(found._uncounted) < 5 * 1024  # what waits to be counted does not grow
    assert (found.counts.success.count, found.counts.fail.ns) == (4000, 1000 * 30)
    assert found.counts.queue_s.counts[0] == 5000
    assert found.counts.queue_s.sum == pytest.approx(5000 * 10 / 1e9)


def test_the_last_inference_is_told_in_wall_clock_time() -> None:
    before_ms, found = time.time() * 1000, told([[(0, 5, False)]], 1)
    assert before_ms - 1 <= found.last_inference_ms <= time.time() * 1000 + 1
