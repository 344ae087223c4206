"""What a model did since it was first loaded: counts, times and histograms.

A request pays for writing down a few numbers; they are counted a thousand requests at a time, or when somebody asks.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)

REASONS = ("queue_full", "deadline", "cancelled")

Column = np.ndarray[tuple[int], np.dtype[np.int64]]

_UNCOUNTED = 1024
_COLUMNS = 5


class Histogram:
    """Counts by upper bound; the last one is of what exceeds all bounds."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        found = np.bincount(np.searchsorted(self.bounds, values), minlength=len(self.counts))
        self.counts = [before + new for before, new in zip(self.counts, found.tolist(), strict=True)]
        self.sum += float(values.sum())


@dataclass
class Duration:
    """How often, and how many nanoseconds in all."""

    count: int = 0
    ns: int = 0

    def add(self, ns: Column) -> None:
        self.count += len(ns)
        self.ns += int(ns.sum())


@dataclass
class Counts:
    """Of one model under one name and version."""

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


class Statistics:
    """Kept across reloads of a model; written and read by the event loop only."""

    def __init__(self) -> None:
        self._counts = Counts()
        self._uncounted: list[int] = []

    @property
    def counts(self) -> Counts:
        """All there is until now."""
        self._count()
        return self._counts

    def refused(self, reason: str, requests: int = 1) -> None:
        """So many requests were not computed, for one of `REASONS`."""
        self._counts.refused[reason] += requests

    def computed(self, arrived_ns: int, started_ns: int, ended_ns: int, rows: int, failed: bool) -> None:
        """One request was computed. `rows` are those of its batch, for the first request in it; 0 for the others.

        The times are `time.perf_counter_ns`'s: of the request's arrival, of the start and the end of its execution.
        """
        self._uncounted.extend((arrived_ns, started_ns, ended_ns, rows, failed))
        if len(self._uncounted) >= _UNCOUNTED * _COLUMNS:
            self._count()

    def _count(self) -> None:
        if not self._uncounted:
            return
        arrived, started, ended, rows, failed = np.array(array("q", self._uncounted)).reshape(-1, _COLUMNS).T
        self._uncounted.clear()
        counts, waited, took, executions = self._counts, started - arrived, ended - started, rows > 0
        counts.success.add((ended - arrived)[failed == 0])
        counts.fail.add((ended - arrived)[failed == 1])
        counts.queue.add(waited)
        counts.compute.add(took)
        counts.queue_s.observe(waited / 1e9)
        took, rows = took[executions], rows[executions]
        counts.inference_s.observe(took / 1e9)
        counts.batch_rows.observe(rows.astype(float))
        counts.rows += int(rows.sum())
        for size in np.unique(rows).tolist():
            counts.batches.setdefault(size, Duration()).add(took[rows == size])
        ago_ns = time.perf_counter_ns() - int(ended.max())
        counts.last_inference_ms = (time.time_ns() - ago_ns) // 1_000_000
