"""The thread that computes, and the queue before it: real threads, a real event loop, a runtime that waits for us."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial

import pytest

from serving.reference.config import Config
from serving.reference.errors import RequestError
from serving.reference.runtimes import Arrays
from tests.serving.working import LONG_US, Bench, Doubling, busy, first_values, on_a_loop, working


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
