"""What a request will be answered with, as the connection and the calls of gRPC use it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from serving.reference.errors import RequestError
from serving.reference.job import Job

OUTPUTS = {"y": np.zeros(1)}


def test_it_calls_back_at_once_and_later_ones_too() -> None:
    answer, called = Job({}), []
    answer.add_done_callback(lambda found: called.append(found.result()))
    assert (answer.done(), called) == (False, [])
    answer.set_result(OUTPUTS)
    answer.add_done_callback(lambda found: called.append(found.result()))
    assert (answer.done(), answer.cancelled(), called) == (True, False, [OUTPUTS, OUTPUTS])


def test_there_is_no_result_before_its_time() -> None:
    with pytest.raises(asyncio.InvalidStateError):
        Job({}).result()


def test_who_waits_gets_the_outputs_or_the_error() -> None:
    async def main() -> None:
        good, bad = Job({}), Job({})
        loop = asyncio.get_running_loop()
        loop.call_soon(good.set_result, OUTPUTS)
        loop.call_soon(bad.set_exception, RequestError(500, "broken"))
        assert await good is OUTPUTS
        assert await good is OUTPUTS
        with pytest.raises(RequestError, match="broken"):
            await bad

    asyncio.run(main())


def test_who_goes_away_cancels_it() -> None:
    async def main() -> None:
        answer = Job({})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(answer, 0.01)
        assert answer.cancelled()
        assert not answer.cancel()

    asyncio.run(main())


def test_a_callback_that_fails_takes_no_other_with_it() -> None:
    async def main() -> None:
        reported: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        answer = Job({})
        called: list[Job] = []
        error = ValueError("a bug")

        def fail(_: Job) -> None:
            raise error

        answer.add_done_callback(fail)
        answer.add_done_callback(called.append)
        answer.set_result(OUTPUTS)
        assert (reported, called) == ([error], [answer])

    asyncio.run(main())
