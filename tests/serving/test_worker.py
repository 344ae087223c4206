"""The thread that computes, and the queue before it: real threads, a real event loop, a runtime that waits for us."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial, wraps
from typing import Any

import numpy as np
import pytest

from serving.reference import batch, worker
from serving.reference.artifact import Manifest, Tensor
from serving.reference.config import Config
from serving.reference.errors import RequestError
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


@on_a_loop
async def test_requests_are_answered_in_the_order_in_which_they_came() -> None:
    answered: list[int] = []
    infer = Doubling()
    async with working(infer) as bench:
        answers = [bench.ask_alone(value) for value in range(20)]
        for value, answer in enumerate(answers):
            answer.add_done_callback(partial(_note, answered, value))
        assert await first_values(*answers) == [2 * value for value in range(20)]
    assert answered == list(range(20))
    assert infer.calls == [[value] for value in range(20)]


def _note(answered: list[int], value: int, _: object) -> None:
    answered.append(value)


@on_a_loop
async def test_a_quick_answer_is_not_held_back_by_a_slow_one_behind_it() -> None:
    slow = Doubling()
    slow.let.clear()

    def infer(inputs: Arrays) -> Arrays:
        return slow(inputs) if inputs["x"][0, 0] == 2 else {"y": inputs["x"]}

    async with working(infer) as bench:
        quick, behind = bench.ask_alone(1), bench.ask_alone(2)
        assert await first_values(quick) == [1]
        assert not behind.done()
        slow.let.set()
        assert await first_values(behind) == [4]


@on_a_loop
async def test_a_slow_request_after_quick_ones_keeps_the_loop_for_a_moment_only() -> None:
    infer = Doubling()
    async with working(infer) as bench:
        for value in range(20):  # from now on the runtime is taken to be quick, and waited for
            await bench.ask_alone(value)
        infer.let.clear()
        longest_s = 0.0
        slow = [bench.ask_alone(100)]
        for value in range(20):
            before_s = time.perf_counter()
            await asyncio.sleep(0)
            longest_s = max(longest_s, time.perf_counter() - before_s)
            slow.append(bench.ask_alone(value))
        assert not any(answer.done() for answer in slow)
        assert longest_s < 0.1  # 0.2 ms, on a machine with nothing else to do
        infer.let.set()
        assert await first_values(*slow) == [200, *range(0, 40, 2)]


@on_a_loop
async def test_only_the_thread_of_a_quick_model_lets_the_loop_go_first() -> None:
    policies: list[int] = []
    slow_s = 0.0

    def infer(inputs: Arrays) -> Arrays:
        policies.append(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)
        time.sleep(slow_s)
        return {"y": inputs["x"]}

    async with working(infer) as bench:
        bench.worker._each_ns = 1000.0  # as if it had been measured on a quiet machine
        for _ in range(2):
            await bench.ask_alone(1)
            bench.worker._each_ns = 1000.0
        slow_s = 0.005
        for _ in range(2):  # the machine may have interrupted them: that says little of the next
            await bench.ask_alone(1)
        assert set(policies[1:]) == {os.SCHED_BATCH}
        for _ in range(20):
            await bench.ask_alone(1)
    assert policies[-1] == os.SCHED_OTHER


@on_a_loop
async def test_what_waits_is_computed_together_and_answered_apart() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=8) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(1), bench.ask(2, rows=2), bench.ask(3, rows=3)]
        infer.let.set()
        assert await first_values(first, *answers) == [200, 2, 4, 6]
        assert [answer.result()["y"].shape for answer in answers] == [(1, 3), (2, 3), (3, 3)]
    assert infer.calls == [[100], [1, 2, 2, 3, 3, 3]]
    assert {rows: spent.count for rows, spent in bench.statistics.counts.batches.items()} == {1: 1, 6: 1}


@on_a_loop
async def test_only_requests_of_the_same_shape_are_merged() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=8) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(1), bench.ask(2, width=4), bench.ask(3), bench.ask(4, width=4)]
        infer.let.set()
        assert await first_values(first, *answers) == [200, 2, 4, 6, 8]
    assert infer.calls == [[100], [1, 3], [2, 4]]


@on_a_loop
async def test_a_batch_is_never_larger_than_allowed() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=4) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(value, rows=rows) for value, rows in ((1, 3), (2, 3), (3, 1), (4, 4))]
        infer.let.set()
        await asyncio.gather(first, *answers)
    assert infer.calls == [[100], [1, 1, 1, 3], [2, 2, 2], [4, 4, 4, 4]]


@on_a_loop
async def test_a_lone_request_is_not_delayed() -> None:
    async with working(Doubling(), max_batch_size=8, max_queue_delay_us=LONG_US) as bench:
        for value in (1, 2, 3):
            assert await first_values(bench.ask(value)) == [2 * value]


@on_a_loop
async def test_where_two_wait_a_third_is_waited_for() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=3, max_queue_delay_us=LONG_US) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(1), bench.ask(2)]
        infer.let.set()
        await first
        await asyncio.sleep(0.05)
        assert infer.calls == [[100]]
        answers.append(bench.ask(3))
        assert await first_values(*answers) == [2, 4, 6]
    assert infer.calls == [[100], [1, 2, 3]]


@on_a_loop
async def test_a_third_is_waited_for_no_longer_than_the_delay() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=3, max_queue_delay_us=20_000) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(1), bench.ask(2)]
        infer.let.set()
        assert await first_values(first, *answers) == [200, 2, 4]
    assert infer.calls == [[100], [1, 2]]


@pytest.mark.parametrize(("rows", "width"), [(1, 4), (3, 3)], ids=["another shape", "too large to go with them"])
def test_a_batch_does_not_keep_one_waiting_that_cannot_join_it(rows: int, width: int) -> None:
    @on_a_loop
    async def scenario() -> None:
        infer = Doubling()
        async with working(infer, max_batch_size=4, max_queue_delay_us=LONG_US) as bench:
            first = await busy(bench, infer)
            answers = [bench.ask(1), bench.ask(2), bench.ask(3, rows=rows, width=width)]
            infer.let.set()
            assert await first_values(first, *answers) == [200, 2, 4, 6]
        assert infer.calls == [[100], [1, 2], [3] * rows]

    scenario()


@on_a_loop
async def test_a_lone_request_is_not_delayed_by_one_of_another_shape() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=4, max_queue_delay_us=LONG_US) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(1), bench.ask(2, width=4)]
        infer.let.set()
        assert await first_values(first, *answers) == [200, 2, 4]


@on_a_loop
async def test_a_bad_request_in_a_batch_fails_alone() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=4) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(1), bench.ask(-1), bench.ask(2)]
        infer.let.set()
        good, bad, other = await asyncio.gather(*answers, return_exceptions=True)
        await first
    assert isinstance(bad, ValueError)
    assert isinstance(good, dict)
    assert isinstance(other, dict)
    assert (good["y"][0, 0], other["y"][0, 0]) == (2, 4)
    assert (bench.statistics.counts.success.count, bench.statistics.counts.fail.count) == (3, 1)


@on_a_loop
async def test_a_runtime_that_returns_too_few_rows_gets_the_requests_one_by_one() -> None:
    doubling = Doubling()

    def one_row(inputs: Arrays) -> Arrays:
        return {"y": doubling(inputs)["y"][:1]}

    async with working(one_row, max_batch_size=4) as bench:
        first = await busy(bench, doubling)
        answers = [bench.ask(1), bench.ask(2)]
        doubling.let.set()
        assert await first_values(first, *answers) == [200, 2, 4]


@on_a_loop
async def test_a_request_whose_client_is_gone_is_not_computed() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=2) as bench:
        first = await busy(bench, infer)
        gone, answers = bench.ask(1), [bench.ask(2), bench.ask(3)]
        gone.cancel()
        infer.let.set()
        assert await first_values(first, *answers) == [200, 4, 6]
        assert bench.worker.pending == 0
    assert infer.calls == [[100], [2, 3]]  # the dead one took no room in the batch
    assert bench.statistics.counts.refused == {"cancelled": 1}


@on_a_loop
async def test_a_client_that_goes_while_its_request_is_computed_harms_nobody() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=2) as bench:
        first = await busy(bench, infer)
        answer = bench.ask(1)
        first.cancel()
        infer.let.set()
        assert await first_values(answer) == [2]
        assert bench.worker.pending == 0


@on_a_loop
async def test_a_deadline_is_kept_while_the_runtime_computes_and_what_waits_is_dropped() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=2) as bench:
        infer.let.clear()
        for computing in (True, False):
            with pytest.raises(RequestError) as refused:
                await bench.ask(1 if computing else 2, timeout_s=0.05)
            assert refused.value.status == 504
            assert "50 ms" in refused.value.reason
        assert not infer.let.is_set()
        answer = bench.ask(3, timeout_s=20)
        infer.let.set()
        assert await first_values(answer) == [6]
    assert infer.calls == [[1], [3]]
    assert bench.statistics.counts.refused["deadline"] == 2


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


def _takes_5_ms(inputs: Arrays) -> Arrays:
    time.sleep(0.005)
    return {"y": inputs["x"]}


def _fill(bench: Bench) -> list[Job]:
    """Ask until one is refused; those that were taken."""
    taken: list[Job] = []
    with suppress(RequestError):
        while len(taken) < 2000:
            taken.append(bench.ask_alone(len(taken)))
    return taken


def test_64_may_wait_however_slow_the_model_and_under_overload_only_what_is_computed_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "CALM_NS", 300_000_000)

    @on_a_loop
    async def scenario() -> None:
        async with working(_takes_5_ms) as bench:
            await bench.ask_alone(0)
            taken = _fill(bench)
            assert len(taken) == 65  # one of them is being computed
            while not (again := _fill(bench)):
                await asyncio.sleep(0.001)
            assert bench.worker.pending <= 1 + 4
            await asyncio.gather(*taken, *again)
            await asyncio.sleep(0.3)
            assert len(_fill(bench)) == 65

    scenario()


@on_a_loop
async def test_a_fast_model_takes_as_many_as_it_computes_soon() -> None:
    async with working(lambda inputs: {"y": inputs["x"]}, max_queue_size=1500) as bench:
        await bench.ask_alone(0)
        assert len(_fill(bench)) > 65


@on_a_loop
async def test_without_an_overload_wait_the_count_alone_decides() -> None:
    async with working(_takes_5_ms, overload_wait_us=0, max_queue_size=80) as bench:
        await bench.ask_alone(0)
        assert len(_fill(bench)) == 81


@on_a_loop
async def test_closing_answers_what_is_pending_and_takes_no_more() -> None:
    infer = Doubling()
    bench = Bench(infer, Config(max_batch_size=2, max_queue_delay_us=LONG_US))
    first = await busy(bench, infer)
    answers = [bench.ask(1), bench.ask(2, width=4), bench.ask(3)]
    closing = asyncio.create_task(bench.worker.close())
    await asyncio.sleep(0)
    with pytest.raises(RequestError) as refused:
        bench.ask(4)
    assert refused.value.status == 503
    infer.let.set()
    await closing
    assert all(answer.done() for answer in (first, *answers))
    assert await first_values(first, *answers) == [200, 2, 4, 6]


@on_a_loop
async def test_closing_does_not_wait_for_a_fuller_batch() -> None:
    infer = Doubling()
    bench = Bench(infer, Config(max_batch_size=8, max_queue_delay_us=LONG_US))
    first = await busy(bench, infer)
    answers = [bench.ask(1), bench.ask(2)]
    infer.let.set()
    await first
    await bench.worker.close()
    assert await first_values(*answers) == [2, 4]


# -- the batch axis


def manifest(*shapes: tuple[int | str, ...]) -> Manifest:
    """The last shape is the output's."""
    tensors = [Tensor(f"t{number}", "float32", shape) for number, shape in enumerate(shapes)]
    return Manifest("m", "torch", "onnx", "fp32", "m.onnx", tuple(tensors[:-1]), tuple(tensors[-1:]), {}, {}, 0.0)


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([("n", 3), ("n", 2)], True),
        ([("n", "time"), ("n", "time"), ("n",)], True),
        ([(1, 3), (1, 2)], False),  # a fixed batch
        ([("n", 3), ("m", 3), ("n", 2)], False),  # two axes
        ([("n", 3), ("n", "n")], False),  # pairs of rows: an output row depends on all of them
        ([("n", 3), ()], False),  # one number of all rows
        ([("n", 3), (1, "n")], False),
    ],
)
def test_the_batch_axis_is_one_first_dynamic_axis_of_all_tensors(
    shapes: list[tuple[int | str, ...]], expected: bool
) -> None:
    assert batch.has_batch_axis(manifest(*shapes)) is expected


def test_the_kind_of_a_request_is_its_shapes_without_the_batch_axis() -> None:
    of_two = manifest(("n", "time"), ("n",), ("n",))
    inputs = {"t1": np.zeros(3), "t0": np.zeros((3, 7))}
    assert batch.kind(of_two, inputs) == ((7,), ())
    assert batch.rows(of_two, inputs) == 3


def test_merged_rows_come_apart_again() -> None:
    parts = [{"x": np.full((rows, 2), rows)} for rows in (1, 3, 2)]
    for part, found in zip(parts, batch.split(batch.merge(parts), [1, 3, 2]), strict=True):
        np.testing.assert_array_equal(part["x"], found["x"])


@pytest.mark.parametrize("shape", [(5, 2), (7, 2)])
def test_outputs_with_another_number_of_rows_are_not_parted(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"{shape[0]} rows for 6"):
        batch.split({"y": np.zeros(shape)}, [1, 3, 2])
