"""The queue before a model: how many may wait, and for how long once somebody had to be refused."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress

import pytest

from serving.reference import worker
from serving.reference.errors import RequestError
from serving.reference.job import Job
from serving.reference.runtimes import Arrays
from tests.serving.working import Bench, Doubling, busy, first_values, on_a_loop, until, working


@on_a_loop
async def test_a_full_queue_refuses_and_takes_again_when_there_is_room() -> None:
    infer = Doubling()
    async with working(infer, max_queue_size=2) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask_alone(1), bench.ask_alone(2)]
        with pytest.raises(RequestError) as refused:
            bench.ask_alone(3)
        assert (refused.value.status, refused.value.headers) == (429, {"retry-after": "1"})
        infer.let.set()
        await asyncio.gather(first, *answers)
        assert await first_values(bench.ask_alone(4)) == [8]
    assert infer.calls == [[100], [1], [2], [4]]
    assert bench.statistics.counts.refused["queue_full"] == 1


@on_a_loop
async def test_a_batch_under_way_does_not_count_as_waiting() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=4, max_queue_size=4) as bench:
        first = await busy(bench, infer)
        computed = [bench.ask(value) for value in range(4)]
        let, infer.let = infer.let, threading.Event()
        let.set()
        await until(lambda: len(infer.calls) == 2)
        waiting = [bench.ask(value) for value in range(4)]
        with pytest.raises(RequestError):
            bench.ask(4)
        infer.let.set()
        await asyncio.gather(first, *computed, *waiting)
    assert infer.calls == [[100], [0, 1, 2, 3], [0, 1, 2, 3]]


def _takes_10_ms(inputs: Arrays) -> Arrays:
    time.sleep(0.01)
    return {"y": inputs["x"]}


def _fill(bench: Bench) -> list[Job]:
    """Ask until one is refused; those that were taken."""
    taken: list[Job] = []
    with suppress(RequestError):
        while len(taken) < 2000:
            taken.append(bench.ask_alone(len(taken)))
    return taken


def test_32_may_wait_however_slow_the_model_and_under_overload_only_what_is_computed_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "CALM_NS", 300_000_000)

    @on_a_loop
    async def scenario() -> None:
        async with working(_takes_10_ms) as bench:
            await bench.ask_alone(0)
            taken = _fill(bench)
            assert len(taken) == 33  # one of them is being computed
            while not (again := _fill(bench)):
                await asyncio.sleep(0.001)
            assert bench.worker.pending <= 1 + 3
            await asyncio.gather(*taken, *again)
            await asyncio.sleep(0.3)
            assert len(_fill(bench)) == 33

    scenario()


@on_a_loop
async def test_who_left_does_not_wait() -> None:
    infer = Doubling()
    async with working(infer) as bench:
        bench.worker._each_ns = 1e9
        first = await busy(bench, infer)
        for room in (32, 31):  # one of the first stays
            taken = _fill(bench)
            assert len(taken) == room
            for job in taken[:-1]:
                job.cancel()
            bench.worker._refused_ns = -worker.CALM_NS
        infer.let.set()
        await asyncio.gather(first, taken[-1])
        await until(lambda: not bench.worker.pending)
        assert bench.worker._gone == 0
    assert len(infer.calls) == 3


@on_a_loop
async def test_a_fast_model_takes_as_many_as_it_computes_soon() -> None:
    async with working(lambda inputs: {"y": inputs["x"]}, max_queue_size=1500) as bench:
        await bench.ask_alone(0)
        assert len(_fill(bench)) > 33


@on_a_loop
async def test_without_an_overload_wait_the_count_alone_decides() -> None:
    async with working(_takes_10_ms, overload_wait_us=0, max_queue_size=80) as bench:
        await bench.ask_alone(0)
        assert len(_fill(bench)) == 81
