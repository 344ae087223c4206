"""Inference by Triton's clients: every encoding, many at once, deadlines, all datatypes."""

from __future__ import annotations

import asyncio
import queue
from typing import Any

from tests.serving.clients.driver import Array, Case, same
from tests.serving.clients.triton_client import (
    ASYNC,
    GRPC,
    TOO_LATE,
    Client,
    connected,
    given,
    refusal,
    response,
    wanted,
)
from tests.serving.echo import sample


async def inference(case: Case) -> None:
    async with connected(case) as client:
        for rows in (1, 3, 8):
            x = case.x(rows)
            for result in (
                await client.infer(x),
                await client.infer(x, model_version="1"),
                await client.infer(x, outputs=[wanted("y")]),
                await client.infer(x, timeout=60_000_000, priority=1, parameters={"of": "the client's own"}),
                await client("infer", case.model, [given("x", x, binary=False)], outputs=[wanted("y", binary=False)]),
            ):
                same(result.as_numpy("y"), 2 * x + 1)
                assert result.get_output("y") is not None
                assert result.as_numpy("z") is None
        of_http = {} if GRPC else {"query_params": {"of": "HTTP"}}
        found = response(await client.infer(case.x(2), request_id="request 7", headers={"x-of": "us"}, **of_http))
        assert (found["id"], found["model_name"], found["model_version"]) == ("request 7", case.model, "1")


async def many_at_once(case: Case) -> None:
    """Every answer belongs to its question."""
    asked = {str(number): case.x(1 + number % 3, start=number) for number in range(16)}
    async with connected(case) as client:
        results = await _at_once(client, asked)
    assert sorted(response(result)["id"] for result in results) == sorted(asked)
    for result in results:
        same(result.as_numpy("y"), 2 * asked[response(result)["id"]] + 1)


async def _at_once(client: Client, asked: dict[str, Array]) -> list[Any]:
    if ASYNC:
        return list(await asyncio.gather(*(client.infer(x, request_id=number) for number, x in asked.items())))
    ask = client.raw.async_infer
    if not GRPC:
        pending = [ask(client.model, [given("x", x)], request_id=number) for number, x in asked.items()]
        return [request.get_result() for request in pending]
    answers: queue.Queue[Any] = queue.Queue()
    for number, x in asked.items():
        ask(client.model, [given("x", x)], lambda result, error: answers.put(error or result), request_id=number)
    return [answers.get(timeout=30) for _ in asked]


async def deadlines(case: Case) -> None:
    x = case.x(10)
    async with connected(case) as client:
        with refusal(TOO_LATE, "20 ms"):
            await client.infer(x, timeout=20_000)
        if GRPC:
            with refusal(TOO_LATE):
                await client.infer(x, client_timeout=0.02)
        same((await client.infer(x, timeout=30_000_000)).as_numpy("y"), 2 * x + 1)


async def every_datatype(case: Case) -> None:
    """All at once, in both encodings, and in a mixture of them."""
    async with connected(case) as client:
        arrays = {dtype: sample(dtype) for dtype in case.dtypes}
        for kinds in ((True, True), (False, False), (True, False)):
            inputs = [given(f"in_{name}", array, kinds[at % 2]) for at, (name, array) in enumerate(arrays.items())]
            outputs = [wanted(f"out_{name}", kinds[at % 2]) for at, name in enumerate(arrays)]
            for result in (
                await client("infer", case.model, inputs, outputs=outputs),
                await client("infer", case.model, inputs),
            ):
                for name, array in arrays.items():
                    same(result.as_numpy(f"out_{name}"), array)
