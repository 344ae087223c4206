"""What Triton's clients ask for in vain, and how clearly they hear it."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator
from typing import Any

import grpc

from tests.serving.clients.driver import Case, raising, same
from tests.serving.clients.triton_client import (
    ASYNC,
    GRPC,
    INVALID,
    MODULE,
    NO_EXTENSION,
    NOT_FOUND,
    TOO_LARGE,
    connected,
    given,
    refusal,
    wanted,
)


async def bad_requests(case: Case) -> None:
    x = case.x(1)
    async with connected(case) as client:
        with refusal(NOT_FOUND, "'other'", case.model):
            await client("infer", "other", [given("x", x)])
        with refusal(NOT_FOUND, "version '2'"):
            await client.infer(x, model_version="2")
        with refusal(INVALID, "input 'x'", "[batch, 4]", "[4]"):
            await client.infer(x[0])
        with refusal(INVALID, "input 'x'", "FP32", "FP64"):
            await client.infer(x.astype("float64"))
        with refusal(INVALID, "input 'z'"):
            await client("infer", case.model, [given("z", x)])
        with refusal(INVALID, "output 'z'"):
            await client.infer(x, outputs=[wanted("z")])
        with refusal(INVALID, "timeout"):
            await client.infer(x, timeout=-1)


async def too_large(case: Case) -> None:
    """A client that sends all of it before it reads hears the answer nevertheless, and so does the one after it."""
    x = case.x(1)
    async with connected(case) as client:
        with refusal(TOO_LARGE, "100000"):
            await client.infer(case.x(500_000))
        same((await client.infer(x)).as_numpy("y"), 2 * x + 1)


async def compression(case: Case) -> None:
    x = case.x(3)
    async with connected(case) as client:
        for algorithm in ("gzip", "deflate"):
            if GRPC:
                same((await client.infer(x, compression_algorithm=algorithm)).as_numpy("y"), 2 * x + 1)
                continue
            answer = await client.infer(x, response_compression_algorithm=algorithm)  # may, not must, be compressed
            same(answer.as_numpy("y"), 2 * x + 1)
            with refusal("415", "compressed"):
                await client.infer(x, request_compression_algorithm=algorithm)


async def extensions_there_are_not(case: Case) -> None:
    """Each is refused by name: an answer in another place than was asked for would be found by nobody."""
    x = case.x(1)
    async with connected(case) as client:
        with refusal(INVALID, "classification"):
            await client.infer(x, outputs=[MODULE.InferRequestedOutput("y", class_count=2)])
        shared = MODULE.InferInput("x", [1, 4], "FP32")
        shared.set_shared_memory("region", 16)
        with refusal(INVALID, "shared", "memory"):
            await client("infer", case.model, [shared])
        into = wanted("y")
        into.set_shared_memory("region", 16)
        with refusal(INVALID, "shared", "memory"):
            await client.infer(x, outputs=[into])
        for method, *arguments in (
            ("get_system_shared_memory_status",),
            ("register_system_shared_memory", "region", "/key", 16),
            ("unregister_system_shared_memory",),
            ("get_cuda_shared_memory_status",),
            ("register_cuda_shared_memory", "region", b"aGFuZGxl", 0, 16),
            ("unregister_cuda_shared_memory",),
            ("get_trace_settings",),
            ("update_trace_settings", case.model, {"trace_level": ["OFF"]}),
            ("get_log_settings",),
            ("update_log_settings", {"log_info": True}),
        ):
            with refusal(NO_EXTENSION):
                await client(method, *arguments)


async def a_stream(case: Case) -> None:
    """Of requests, as only Triton's own protocol has it: the client hears at once that there is none."""
    if not GRPC:
        return
    async with connected(case) as client:
        if ASYNC:
            with raising(grpc.RpcError, NO_EXTENSION):
                [answer async for answer in client.raw.stream_infer(_nothing())]
        else:
            answers: queue.Queue[Any] = queue.Queue()
            client.raw.start_stream(lambda **answer: answers.put(answer["error"]))
            with refusal(NO_EXTENSION):
                raise answers.get(timeout=30)


async def _nothing() -> AsyncIterator[dict[str, Any]]:
    await asyncio.Event().wait()
    yield {}
