"""The thread on which one model computes, and the queue before it. The event loop never computes, and never waits."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter_ns

from serving.reference.batch import matching, merge, split
from serving.reference.config import Config
from serving.reference.errors import RequestError, overloaded, unavailable
from serving.reference.job import Job, Kind
from serving.reference.runtimes import Arrays
from serving.reference.statistics import Statistics

CLIENTS = 32
"""So many may wait however long it takes: a pool of clients that wait for their answers is no overload. An overload
begins with as many, so they are few enough not to be its p99."""
BURST = 20
"""Times as long as under overload may the wait get before it is taken for one: clients may all ask at once."""
CALM_NS = 1_000_000_000
"""An overload is over when nobody was refused for so long."""
QUICK_NS = 100_000
"""A model that takes less for a request is quick: what changing threads costs matters more than who goes first."""
TOGETHER_NS = 200_000
"""So many nanoseconds of a quick model's requests are answered at once, and the event loop is woken once for them."""
ATTEND_S = 0.0004
"""So long at most the loop waits by itself for what it handed over, where that should take less than `TOGETHER_NS`."""
LOOK_S = 0.001
"""Should one of them take longer against expectation, the loop looks by itself so often."""
OUTLIER = 4
"""Times the expected duration: what takes longer counts as this."""
FEWEST = 3
"""So many may wait under overload at least, or the thread would idle where clients do not come evenly."""


Outcome = Arrays | Exception

Execution = tuple[list[Job], list[Job], list[Outcome], int, int]
"""What the thread did with one batch: those in it, those of them that it computed (the others were done already), what
came of these, and when it started and ended, in nanoseconds of `perf_counter_ns`."""


class Worker:
    """Takes jobs on the event loop, computes them on a thread of its own, answers on the loop again.

    A job that is done already (its deadline passed, its client went away) is dropped when its turn comes.
    """

    def __init__(self, infer: Callable[[Arrays], Arrays], config: Config, statistics: Statistics) -> None:
        self._infer = infer
        self._config = config
        self._statistics = statistics
        self._loop = asyncio.get_running_loop()
        self._arriving: list[Job] = []  # the loop's own, until it has read all sockets that had something
        self._queue: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._waiting: deque[Job] = deque()  # taken from the queue, not yet computed; the thread's own
        self._open = True  # the thread's own
        self._closed = False
        self._executed: deque[Execution] = deque()  # computed, and not yet answered
        self._deferring = False  # the thread's own
        self._untold_ns = 0  # the thread's own: since when the loop was not woken for what is computed
        self._attended = False  # the loop waits for `_told`, and need not be woken otherwise
        self._told: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._look: asyncio.TimerHandle | None = None
        self._gone = 0  # of those pending, so many whose client does not wait any longer
        self._computing = 0
        self._each_ns = 0.0
        self._refused_ns = -CALM_NS
        self.pending = 0
        """Jobs taken and not yet finished."""
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    def submit(self, inputs: Arrays, rows: int, kind: Kind | None, timeout_s: float) -> Job:
        """The job, whose outputs are to come; it fails with `RequestError`.

        Raises it at once: 429 where too many wait already, 503 where the worker was closed.
        """
        if self._closed:
            raise unavailable("this model is being unloaded")
        now_ns = perf_counter_ns()
        waiting = self.pending - (self._computing or 1)
        if waiting > 0 and self._is_full(waiting, now_ns):
            self._refused_ns = now_ns
            self._statistics.refused("queue_full")
            raise overloaded(f"{waiting} requests wait for this model already")
        job = Job(inputs, rows, kind, now_ns, self._abandoned)
        if timeout_s:
            timer = self._loop.call_later(timeout_s, self._expire, job, timeout_s)
            job.add_done_callback(lambda _: timer.cancel())
        self.pending += 1
        if not self._arriving:
            self._loop.call_soon(self._hand_over)
        self._arriving.append(job)
        return job

    async def close(self) -> None:
        """Take no more, compute what is pending, then end the thread."""
        self._closed = True
        self._hand_over()
        self._queue.put(None)
        while self._thread.is_alive() or self.pending:
            await asyncio.sleep(0.005)

    def _hand_over(self) -> None:
        """Wake the thread once for all that arrived together: on one core each change of threads costs both of them.

        What takes microseconds is waited for: the thread would else have to wake the loop through the kernel, and
        requests that come meanwhile would interrupt it. Only an idle thread is waited for, and no longer than
        `ATTEND_S`, so that a slow request stops nobody: those that come after it find the thread busy.
        """
        jobs, self._arriving = self._arriving, []
        if not jobs:
            return
        expected_ns = self._each_ns * len(jobs)
        idle = self.pending == len(jobs)
        quick = self._each_ns < QUICK_NS and 0 < expected_ns < TOGETHER_NS
        self._attended = idle and quick and not self._config.max_queue_delay_us
        if self._attended and not self._told.empty():
            self._told.get()  # of the last time, when the loop had just given up waiting
        self._queue.put(jobs)
        if self._attended:
            with suppress(queue.Empty):
                self._told.get(timeout=ATTEND_S)
            self._attended = False
            self._finish()
        if self.pending and self._look is None and self._each_ns < QUICK_NS:
            self._look = self._loop.call_later(LOOK_S, self._look_after)

    def _look_after(self) -> None:
        self._finish()
        self._look = self._loop.call_later(LOOK_S, self._look_after) if self.pending else None

    def _is_full(self, waiting: int, now_ns: int) -> bool:
        """Whether no more may wait now.

        A full queue makes everyone slow and computes no faster. So once somebody had to be refused, the queue stays
        short: those who get in are answered soon, the others know at once. Until then clients who wait for their
        answers, and so never bring more than there are of them, are let in.
        """
        config = self._config
        calm = now_ns - self._refused_ns >= CALM_NS
        if waiting >= config.max_queue_size:
            return True
        waiting -= self._gone  # they take no time
        if waiting < (CLIENTS if calm else max(FEWEST, config.max_batch_size)) or not config.overload_wait_us:
            return False
        return waiting * self._each_ns >= config.overload_wait_us * 1000 * (BURST if calm else 1)

    def _expire(self, job: Job, timeout_s: float) -> None:
        if job.abandon(RequestError(504, f"not answered within its deadline of {timeout_s * 1e3:g} ms")):
            self._statistics.refused("deadline")

    def _abandoned(self) -> None:
        self._gone += 1

    def _run(self) -> None:
        while self._step():
            if (0 < self._each_ns < QUICK_NS) != self._deferring:
                self._defer(not self._deferring)

    def _defer(self, deferring: bool) -> None:
        """Whether this thread, woken, lets the loop finish its turn first; threads of the runtime's own never do.

        It would else take the core only to wait for the interpreter, which the loop still holds. A slow model's thread
        must have its share of a busy core at once, as the loop has.
        """
        self._deferring = deferring
        policy = os.SCHED_BATCH if deferring else os.SCHED_OTHER
        with suppress(OSError):
            os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, os.sched_param(0))

    def _step(self) -> bool:
        """Compute one batch; False where the worker was closed. Nothing of it is held while the next is waited for."""
        waiting = self._waiting
        if not waiting and not self._take():
            return False
        lone = waiting[0].kind is None
        execution = self._alone(waiting.popleft()) if lone else self._together(self._batch())
        self._executed.append(execution)
        started_ns, ended_ns = execution[-2:]
        self._untold_ns = self._untold_ns or started_ns
        quick = self._each_ns < QUICK_NS and ended_ns - self._untold_ns < TOGETHER_NS
        if not (quick and lone and waiting):
            self._untold_ns = 0
            if self._attended:
                self._attended = False
                self._told.put(None)
            else:
                self._loop.call_soon_threadsafe(self._finish)
        return True

    def _take(self, timeout_s: float | None = None) -> bool:
        """Move jobs from the queue to those waiting; False where none came in time, or the worker was closed."""
        if not self._open:
            return False
        try:
            jobs = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return False
        if jobs is None:
            self._open = False
            return False
        self._waiting.extend(jobs)
        return True

    def _batch(self) -> list[Job]:
        """The oldest job and those that go with it."""
        while not self._queue.empty() and self._take(0):
            pass
        waiting, most_rows = self._waiting, self._config.max_batch_size
        batch, may_grow = matching(waiting, most_rows)
        # A lone request never waits; once two go together, a third may be worth the configured delay.
        due_ns = waiting[0].arrived_ns + self._config.max_queue_delay_us * 1000
        while may_grow and (left_ns := due_ns - perf_counter_ns()) > 0 and self._take(left_ns / 1e9):
            batch, may_grow = matching(waiting, most_rows)
        for job in batch:
            waiting.remove(job)
        return batch

    def _alone(self, job: Job) -> Execution:
        self._computing = 1
        batch = [job]
        started_ns = perf_counter_ns()
        if job.done():
            return batch, [], [], started_ns, started_ns
        outcomes = [self._outcome(job)]
        return batch, batch, outcomes, started_ns, perf_counter_ns()

    def _together(self, batch: list[Job]) -> Execution:
        self._computing = len(batch)
        alive = [job for job in batch if not job.done()]
        started_ns = perf_counter_ns()
        outcomes = self._merged(alive) if len(alive) > 1 else [self._outcome(job) for job in alive]
        return batch, alive, outcomes, started_ns, perf_counter_ns()

    def _merged(self, jobs: list[Job]) -> list[Outcome]:
        try:
            return list(split(self._infer(merge([job.inputs for job in jobs])), [job.rows for job in jobs]))
        except Exception:  # one of them spoils the batch: the others are answered rightly
            return [self._outcome(job) for job in jobs]

    def _outcome(self, job: Job) -> Outcome:
        try:
            return self._infer(job.inputs)
        except Exception as exc:
            return exc

    def _learn(self, each_ns: float) -> None:
        """How long a request takes: an execution that the machine interrupted tells little, several in a row do."""
        known_ns = self._each_ns
        self._each_ns += (min(each_ns, OUTLIER * known_ns) - known_ns) / 8 if known_ns else each_ns

    def _finish(self) -> None:
        while self._executed:
            batch, computed, outcomes, started_ns, ended_ns = self._executed.popleft()
            self.pending -= len(batch)
            if len(computed) < len(batch):
                self._gone -= len(batch) - len(computed)
                self._statistics.refused("cancelled", sum(job.cancelled() for job in batch if job not in computed))
            if not computed:
                continue
            self._learn((ended_ns - started_ns) / len(computed))
            rows = computed[0].rows if len(computed) == 1 else sum(job.rows for job in computed)
            for job, outcome in zip(computed, outcomes, strict=True):
                failed = isinstance(outcome, Exception)
                self._statistics.computed(job.arrived_ns, started_ns, ended_ns, rows, failed)
                rows = 0
                if job.done():
                    self._gone -= 1
                    continue
                if isinstance(outcome, Exception):
                    job.set_exception(outcome)
                else:
                    job.set_result(outcome)
