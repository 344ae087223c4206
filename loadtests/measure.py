"""Measuring one block in this process with Locust. Import it first of all: it patches the process for gevent."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# isort: split
# Locust patches sockets and threads on import; what was imported before it would keep the blocking ones.
from locust.env import Environment

# isort: split
import gevent

from loadtests import recorder, responses
from loadtests.block import Block, Closed, GeneratorUse, Result
from loadtests.errors import GeneratorError, ProtocolError
from loadtests.samples import achieved_rps
from loadtests.users.closed_loop import ClosedLoop
from loadtests.users.open_loop import OpenLoop
from loadtests.users.run import Run

AHEAD_S = 0.005
"""From the start of the clock to the first request, so that it is not late."""


def measure(block: Block, start: Callable[[], float] | None = None) -> Result:
    """Drive one block, write its files, and say what it showed; raises `LoadTestError` where it could not be driven.

    `start` is called when all is prepared and the connections are open; it may wait (other greenlets run meanwhile) and
    returns the instant, of `perf_counter`, at which the window begins. None: `AHEAD_S` from now.
    """
    begun = time.perf_counter()
    _collect_garbage()
    closed = isinstance(block.arrivals, Closed)
    environment = Environment(user_classes=[ClosedLoop if closed else OpenLoop], catch_exceptions=False)
    run = environment.run = Run(block)
    environment.events.user_error.add_listener(lambda exception, **_: run.faults.append(exception))
    runner = environment.create_local_runner()
    with _no_garbage_collection(), _loop_errors(run.faults):
        try:
            runner.start(run.users, spawn_rate=max(1, run.users))
            runner.spawning_greenlet.join()
            cpu_fraction = _window(run, time.perf_counter() + AHEAD_S if start is None else start())
            # Locust's own stop would drop the requests in flight: they are joined first.
            runner.user_greenlets.join(timeout=max(0.0, run.stop + block.drain_s - time.perf_counter()))
        finally:
            # First: what is killed now must not send another request.
            run.close()
            runner.quit()
    if run.faults:
        raise GeneratorError(f"the generator failed: {run.faults[0]!r}") from run.faults[0]
    run.report(environment.events.request)
    return _conclude(run, GeneratorUse(cpu_fraction, wall_s=time.perf_counter() - begun))


def _window(run: Run, start: float) -> float:
    """Start the clock, sleep through the window, and return the fraction of a core that this process used meanwhile."""
    run.begin(start)
    wall, cpu = time.perf_counter(), time.process_time()
    gevent.sleep(run.stop - wall)
    return (time.process_time() - cpu) / (time.perf_counter() - wall)


@contextmanager
def _loop_errors(faults: list[Exception]) -> Iterator[None]:
    """What fails in a callback of the loop is a fault too: gevent prints it, and the block would only look slow."""
    hub = gevent.get_hub()
    printed = hub.handle_error

    def note(context: Any, kind: Any, value: Any, trace: Any) -> None:
        if not isinstance(context, gevent.Greenlet) and isinstance(value, Exception):
            faults.append(value)
        printed(context, kind, value, trace)

    hub.handle_error = note
    try:
        yield
    finally:
        hub.handle_error = printed


def _collect_garbage() -> None:
    """Of the block before. What survives it was imported and stays: walking all of Locust again would take 20 ms."""
    gc.collect()
    gc.freeze()


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """It would be booked to the server as latency."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _conclude(run: Run, use: GeneratorUse) -> Result:
    block = run.block
    if block.responses is not None:
        kept = run.recorder.decode_kept(run.protocol.decode, ProtocolError)
        responses.save(block.responses, kept)
    samples = run.recorder.samples(block, run.start)
    recorder.write(block.samples, samples)
    kinds = run.recorder.error_kinds()
    return Result(
        offered_rps=len(samples.ok) / block.duration_s if samples.open else None,
        achieved_rps=achieved_rps(samples),
        requests=len(samples.ok),
        errors=sum(kind.count for kind in kinds),
        error_kinds=kinds,
        generator=use,
        samples=block.samples,
        responses=block.responses,
    )
