"""The thread on which one model computes, and the queue before it. The event loop never computes, and never waits."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns

from serving.reference.batch import Kind, merge, split
from serving.reference.config import Config
from serving.reference.errors import RequestError, overloaded
from serving.reference.runtimes import Arrays
from serving.reference.statistics import Statistics


@dataclass(slots=True, eq=False)
class Job:
    """One request: what goes in, how many rows of a batch it is, with which others it may be merged, and its answer."""

    inputs: Arrays
    rows: int
    kind: Kind | None
    """None: this one is computed by itself."""
    answer: asyncio.Future[Arrays]
    arrived_ns: int


Outcome = Arrays | Exception


class Worker:
    """Takes jobs on the event loop, computes them on a thread of its own, answers on the loop again.

    A job whose answer is done already (its deadline passed, its client went away) is dropped when its turn comes.
    """

    def __init__(self, infer: Callable[[Arrays], Arrays], config: Config, statistics: Statistics) -> None:
        self._infer = infer
        self._config = config
        self._statistics = statistics
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._waiting: deque[Job] = deque()  # taken from the queue, not yet computed; the thread's own
        self._open = True
        self.pending = 0
        """Jobs taken and not yet finished."""
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    def submit(self, inputs: Arrays, rows: int, kind: Kind | None, timeout_s: float) -> asyncio.Future[Arrays]:
        """The answer to come; it fails with `RequestError`. Raises it (429) at once where too many wait already."""
        if self.pending > self._config.max_queue_size:  # one is being computed, the others wait
            self._statistics.refused["queue_full"] += 1
            raise overloaded(f"{self._config.max_queue_size} requests wait for this model already")
        answer: asyncio.Future[Arrays] = self._loop.create_future()
        if timeout_s:
            timer = self._loop.call_later(timeout_s, self._expire, answer, timeout_s)
            answer.add_done_callback(lambda _: timer.cancel())
        self.pending += 1
        self._queue.put(Job(inputs, rows, kind, answer, perf_counter_ns()))
        return answer

    async def close(self) -> None:
        """Compute what is pending, then end the thread."""
        self._queue.put(None)
        while self._thread.is_alive():
            await asyncio.sleep(0.005)

    def _expire(self, answer: asyncio.Future[Arrays], timeout_s: float) -> None:
        if not answer.done():
            answer.set_exception(RequestError(504, f"not answered within its deadline of {timeout_s * 1e3:g} ms"))
            self._statistics.refused["deadline"] += 1

    def _run(self) -> None:
        while batch := self._next():
            alive = [job for job in batch if not job.answer.done()]
            started_ns = perf_counter_ns()
            outcomes = self._compute(alive) if alive else []
            self._loop.call_soon_threadsafe(self._finish, batch, alive, outcomes, started_ns, perf_counter_ns())

    def _next(self) -> list[Job]:
        """The oldest job and those that go with it; blocks until there is one. Empty where the worker was closed."""
        waiting = self._waiting
        if not waiting and not self._take():
            return []
        first = waiting[0]
        if first.kind is None:
            return [waiting.popleft()]
        while not self._queue.empty() and self._take(0):
            pass
        batch = self._matching(first)
        # A lone request never waits; once two are there, a third may be worth the configured delay.
        due_ns = first.arrived_ns + self._config.max_queue_delay_us * 1000
        while self._open and len(waiting) > 1 and sum(job.rows for job in batch) < self._config.max_batch_size:
            left_s = (due_ns - perf_counter_ns()) / 1e9
            if left_s <= 0 or not self._take(left_s):
                break
            batch = self._matching(first)
        for job in batch:
            waiting.remove(job)
        return batch

    def _take(self, timeout_s: float | None = None) -> bool:
        """Move one job from the queue to those waiting; False where none came in time, or the worker was closed."""
        if not self._open:
            return False
        try:
            job = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return False
        if job is None:
            self._open = False
            return False
        self._waiting.append(job)
        return True

    def _matching(self, first: Job) -> list[Job]:
        batch: list[Job] = []
        rows = 0
        for job in self._waiting:
            if job.kind == first.kind and (not batch or rows + job.rows <= self._config.max_batch_size):
                batch.append(job)
                rows += job.rows
        return batch

    def _compute(self, jobs: list[Job]) -> list[Outcome]:
        if len(jobs) == 1:
            return [self._alone(jobs[0])]
        try:
            return list(split(self._infer(merge([job.inputs for job in jobs])), [job.rows for job in jobs]))
        except Exception:  # one of them spoils the batch: the others are answered rightly
            return [self._alone(job) for job in jobs]

    def _alone(self, job: Job) -> Outcome:
        try:
            return self._infer(job.inputs)
        except Exception as exc:
            return exc

    def _finish(
        self, batch: list[Job], computed: list[Job], outcomes: list[Outcome], started_ns: int, ended_ns: int
    ) -> None:
        self.pending -= len(batch)
        statistics = self._statistics
        statistics.refused["cancelled"] += sum(job.answer.cancelled() for job in batch)
        if computed:
            statistics.executed(sum(job.rows for job in computed), ended_ns - started_ns)
        for job, outcome in zip(computed, outcomes, strict=True):
            statistics.waited(started_ns - job.arrived_ns)
            statistics.compute.add(ended_ns - started_ns)
            failed = isinstance(outcome, Exception)
            (statistics.fail if failed else statistics.success).add(ended_ns - job.arrived_ns)
            if job.answer.done():
                continue
            if isinstance(outcome, Exception):
                job.answer.set_exception(outcome)
            else:
                job.answer.set_result(outcome)
