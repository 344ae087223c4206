"""A worker under test: real threads, a real event loop, a runtime that waits for us."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import numpy as np

from serving.reference.config import Config
from serving.reference.job import Job
from serving.reference.runtimes import Arrays
from serving.reference.statistics import Statistics
from serving.reference.worker import Worker

LONG_US = 60_000_000
"""A delay that no test waits for."""


def on_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run an async test on a loop of its own; what hangs fails."""

    @wraps(test)
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 30))

    return run


class Doubling:
    """Doubles x, fails on negative values, and computes only while it is let."""

    def __init__(self) -> None:
        self.calls: list[list[float]] = []
        """The first value of each row it was given, by call."""
        self.let = threading.Event()
        self.let.set()

    def __call__(self, inputs: Arrays) -> Arrays:
        self.calls.append(inputs["x"][:, 0].tolist())
        assert self.let.wait(20)
        if (inputs["x"] < 0).any():
            raise ValueError("negative")
        return {"y": 2 * inputs["x"]}


class Bench:
    """A worker under test: `ask` submits rows that all hold one value, `busy` keeps its thread occupied."""

    def __init__(self, infer: Callable[[Arrays], Arrays], config: Config) -> None:
        self.statistics = Statistics()
        self.worker = Worker(infer, config, self.statistics)

    def ask(self, value: float, rows: int = 1, width: int = 3, timeout_s: float = 0.0) -> Job:
        x = np.full((rows, width), value, np.float32)
        return self.worker.submit({"x": x}, rows, ((width,),), timeout_s)

    def ask_alone(self, value: float) -> Job:
        """One that is merged with no other."""
        return self.worker.submit({"x": np.full((1, 3), value, np.float32)}, 1, None, 0.0)


@asynccontextmanager
async def working(infer: Callable[[Arrays], Arrays], **config: int) -> AsyncIterator[Bench]:
    bench = Bench(infer, Config(**config))
    try:
        yield bench
    finally:
        if isinstance(infer, Doubling):
            infer.let.set()
        await bench.worker.close()


async def busy(bench: Bench, infer: Doubling, value: float = 100) -> Job:
    """Have the thread compute until it is let go on, so that what is asked next has to wait."""
    infer.let.clear()
    answer = bench.ask(value)
    await until(lambda: len(infer.calls) > 0 and infer.calls[-1] == [value])
    return answer


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def first_values(*answers: Awaitable[Arrays]) -> list[float]:
    return [float(answer["y"][0, 0]) for answer in await asyncio.gather(*answers)]
