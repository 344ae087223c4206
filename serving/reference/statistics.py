"""What a model did since it was first loaded: counts, times and histograms."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)

REASONS = ("queue_full", "deadline", "cancelled")


class Histogram:
    """Counts by upper bound; the last one is of what exceeds all bounds."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclass
class Duration:
    """How often, and how many nanoseconds in all."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int, count: int = 1) -> None:
        self.count += count
        self.ns += ns


@dataclass
class Statistics:
    """Of one model under one name and version; kept across reloads, written by the event loop only."""

    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    queue: Duration = field(default_factory=Duration)
    compute: Duration = field(default_factory=Duration)
    rows: int = 0
    last_inference_ms: int = 0
    batches: dict[int, Duration] = field(default_factory=dict)
    """Executions by number of rows."""
    refused: Counter[str] = field(default_factory=Counter)
    """Requests that were not computed, by one of `REASONS`."""
    queue_s: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    inference_s: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    batch_rows: Histogram = field(default_factory=lambda: Histogram(ROWS))

    def executed(self, rows: int, ns: int, waited_ns: Sequence[int]) -> None:
        """The runtime ran once, on so many rows, for so long; so long each of its requests had waited."""
        count = len(waited_ns)
        self.rows += rows
        if (batch := self.batches.get(rows)) is None:
            batch = self.batches[rows] = Duration()
        batch.add(ns)
        self.inference_s.observe(ns / 1e9)
        self.batch_rows.observe(rows)
        for each in waited_ns:
            self.queue_s.observe(each / 1e9)
        self.queue.add(sum(waited_ns), count)
        self.compute.add(ns * count, count)
        self.last_inference_ms = int(time.time() * 1000)
