"""The thread on which one model computes, and the queue before it. The event loop never computes, and never waits."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter_ns

from serving.reference.answer import Answer
from serving.reference.batch import Kind, merge, split
from serving.reference.config import Config
from serving.reference.errors import RequestError, overloaded, unavailable
from serving.reference.runtimes import Arrays
from serving.reference.statistics import Statistics

CLIENTS = 64
"""So many may wait however long it takes: a pool of clients that wait for their answers is no overload."""
CALM_NS = 1_000_000_000
"""An overload is over when nobody was refused for so long."""
TOGETHER_NS = 100_000
"""A runtime that takes less is answered for several requests at once, so that the event loop is woken once for them."""
ATTEND_S = 0.0002
"""So long at most the loop waits by itself for what it handed over, where that should take less than `TOGETHER_NS`."""
LOOK_S = 0.001
"""Should one of them take longer against expectation, the loop looks by itself so often."""
FEWEST = 4
"""So many may wait under overload at least, or the thread would idle where clients do not come evenly."""


@dataclass(slots=True, eq=False)
class Job:
    """One request: what goes in, how many rows of a batch it is, with which others it may be merged, and its answer."""

    inputs: Arrays
    rows: int
    kind: Kind | None
    """None: this one is computed by itself."""
    answer: Answer
    arrived_ns: int


Outcome = Arrays | Exception


@dataclass(slots=True, eq=False)
class Execution:
    """What the thread did with one batch. `outcomes` are of the jobs in `computed`; the others were done already."""

    batch: list[Job]
    computed: list[Job]
    outcomes: list[Outcome]
    started_ns: int
    ended_ns: int


class Worker:
    """Takes jobs on the event loop, computes them on a thread of its own, answers on the loop again.

    A job whose answer is done already (its deadline passed, its client went away) is dropped when its turn comes.
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
        self._computing = 0
        self._each_ns = 0.0
        self._refused_ns = -CALM_NS
        self.pending = 0
        """Jobs taken and not yet finished."""
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    def submit(self, inputs: Arrays, rows: int, kind: Kind | None, timeout_s: float) -> Answer:
        """The answer to come; it fails with `RequestError`.

        Raises it at once: 429 where too many wait already, 503 where the worker was closed.
        """
        if self._closed:
            raise unavailable("this model is being unloaded")
        now_ns = perf_counter_ns()
        waiting = self.pending - max(self._computing, 1)
        if waiting > 0 and waiting >= self._room(now_ns):
            self._refused_ns = now_ns
            self._statistics.refused["queue_full"] += 1
            raise overloaded(f"{waiting} requests wait for this model already")
        answer = Answer()
        if timeout_s:
            timer = self._loop.call_later(timeout_s, self._expire, answer, timeout_s)
            answer.add_done_callback(lambda _: timer.cancel())
        self.pending += 1
        self._arriving.append(Job(inputs, rows, kind, answer, now_ns))
        if len(self._arriving) == 1:
            self._loop.call_soon(self._hand_over)
        return answer

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
        self._attended = idle and 0 < expected_ns < TOGETHER_NS and not self._config.max_queue_delay_us
        self._queue.put(jobs)
        if self._attended:
            with suppress(queue.Empty):
                self._told.get(timeout=ATTEND_S)
            self._attended = False
            self._finish()
        if self.pending and self._look is None and self._each_ns < TOGETHER_NS:
            self._look = self._loop.call_later(LOOK_S, self._look_after)

    def _look_after(self) -> None:
        self._finish()
        self._look = self._loop.call_later(LOOK_S, self._look_after) if self.pending else None

    def _room(self, now_ns: int) -> float:
        """How many may wait now.

        A full queue makes everyone slow and computes no faster. So once somebody had to be refused, the queue stays
        short: those who get in are answered soon, the others know at once. Until then clients who wait for their
        answers, and so never bring more than there are of them, are let in.
        """
        config = self._config
        if not config.overload_wait_us or not self._each_ns:
            return config.max_queue_size
        soon = config.overload_wait_us * 1000 / self._each_ns
        if now_ns - self._refused_ns < CALM_NS:
            room = max(soon, config.max_batch_size, FEWEST)
        else:
            room = max(10 * soon, CLIENTS)
        return min(room, config.max_queue_size)

    def _expire(self, answer: Answer, timeout_s: float) -> None:
        if not answer.done():
            answer.set_exception(RequestError(504, f"not answered within its deadline of {timeout_s * 1e3:g} ms"))
            self._statistics.refused["deadline"] += 1

    def _run(self) -> None:
        while self._step():
            self._defer(0 < self._each_ns < TOGETHER_NS)

    def _defer(self, deferring: bool) -> None:
        """Whether this thread, woken, lets the loop finish its turn first; threads of the runtime's own never do.

        It would else take the core only to wait for the interpreter, which the loop still holds. A slow model's thread
        must have its share of a busy core at once, as the loop has.
        """
        if deferring != self._deferring:
            self._deferring = deferring
            policy = os.SCHED_BATCH if deferring else os.SCHED_OTHER
            with suppress(OSError):
                os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, os.sched_param(0))

    def _step(self) -> bool:
        """Compute one batch; False where the worker was closed. Nothing of it is held while the next is waited for."""
        batch = self._next()
        if not batch:
            return False
        self._computing = len(batch)
        alive = [job for job in batch if not job.answer.done()]
        started_ns = perf_counter_ns()
        outcomes = self._compute(alive) if alive else []
        ended_ns = perf_counter_ns()
        self._executed.append(Execution(batch, alive, outcomes, started_ns, ended_ns))
        self._untold_ns = self._untold_ns or started_ns
        quick = self._each_ns < TOGETHER_NS and ended_ns - self._untold_ns < TOGETHER_NS
        if not (quick and self._waiting and batch[0].kind is None):
            self._untold_ns = 0
            # Where the loop has just given up waiting it finishes by itself, and the next time it is told too early.
            if self._attended:
                self._attended = False
                self._told.put(None)
            else:
                self._loop.call_soon_threadsafe(self._finish)
        return True

    def _next(self) -> list[Job]:
        """The oldest job and those that go with it; blocks until there is one. Empty where the worker was closed."""
        waiting = self._waiting
        if not waiting and not self._take():
            return []
        if waiting[0].kind is None:
            return [waiting.popleft()]
        while not self._queue.empty() and self._take(0):
            pass
        batch, may_grow = self._matching()
        # A lone request never waits; once two go together, a third may be worth the configured delay.
        due_ns = waiting[0].arrived_ns + self._config.max_queue_delay_us * 1000
        while may_grow and (left_ns := due_ns - perf_counter_ns()) > 0 and self._take(left_ns / 1e9):
            batch, may_grow = self._matching()
        for job in batch:
            waiting.remove(job)
        return batch

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

    def _matching(self) -> tuple[list[Job], bool]:
        """The oldest job that is alive, those of its kind that fit beside it, and the dead, to be dropped with them.

        Also whether one more request could make it fuller: at least two go together, and none had to stay behind.
        """
        batch: list[Job] = []
        alive: list[Job] = []
        room, left_behind = self._config.max_batch_size, False
        for job in self._waiting:
            if job.answer.done():
                batch.append(job)
            elif not alive or (job.kind == alive[0].kind and job.rows <= room):
                batch.append(job)
                alive.append(job)
                room -= job.rows
            else:
                left_behind = True
        return batch, len(alive) > 1 and room > 0 and not left_behind

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

    def _finish(self) -> None:
        while self._executed:
            execution = self._executed.popleft()
            self._account(execution)
            for job, outcome in zip(execution.computed, execution.outcomes, strict=True):
                if job.answer.done():
                    continue
                if isinstance(outcome, Exception):
                    job.answer.set_exception(outcome)
                else:
                    job.answer.set_result(outcome)

    def _account(self, execution: Execution) -> None:
        self.pending -= len(execution.batch)
        statistics, computed = self._statistics, execution.computed
        took_ns = execution.ended_ns - execution.started_ns
        if len(computed) < len(execution.batch):
            statistics.refused["cancelled"] += sum(job.answer.cancelled() for job in execution.batch)
        if not computed:
            return
        self._each_ns += (took_ns / len(computed) - self._each_ns) / (8 if self._each_ns else 1)
        started_ns = execution.started_ns
        rows = computed[0].rows if len(computed) == 1 else sum(job.rows for job in computed)
        statistics.executed(rows, took_ns, [started_ns - job.arrived_ns for job in computed])
        for job, outcome in zip(computed, execution.outcomes, strict=True):
            times = statistics.fail if isinstance(outcome, Exception) else statistics.success
            times.add(execution.ended_ns - job.arrived_ns)
