"""Triton's four clients, asked the same: `python -m tests.serving.clients.triton http|http.aio|grpc|grpc.aio`."""

from __future__ import annotations

import asyncio
import importlib
import queue
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from tests.serving.clients.driver import Array, Case, main, raising, same, settled
from tests.serving.echo import sample

FLAVOUR = sys.argv[1]
GRPC = FLAVOUR.startswith("grpc")
ASYNC = FLAVOUR.endswith("aio")
MODULE = importlib.import_module(f"tritonclient.{FLAVOUR}")

# What a refusal is called over HTTP and over gRPC.
INVALID = "INVALID_ARGUMENT" if GRPC else "400"
NOT_FOUND = "NOT_FOUND" if GRPC else "404"
NO_EXTENSION = "UNIMPLEMENTED" if GRPC else "404"
NOT_LOADED = "UNAVAILABLE" if GRPC else "503"
TOO_LARGE = "RESOURCE_EXHAUSTED" if GRPC else "413"
TOO_LATE = "DEADLINE_EXCEEDED" if GRPC else "504"


class Client:
    """One of the clients, awaited like an asynchronous one whichever it is."""

    def __init__(self, client: Any, model: str) -> None:
        self.raw = client
        self.model = model

    async def __call__(self, method: str, *arguments: Any, **named: Any) -> Any:
        return await settled(getattr(self.raw, method)(*arguments, **named))

    async def document(self, method: str, *arguments: Any, **named: Any) -> Any:
        """An answer as JSON. That of gRPC has 64-bit integers as strings, and zeros not at all."""
        return await self(method, *arguments, **named, **({"as_json": True} if GRPC else {}))

    async def infer(self, x: Array, **named: Any) -> Any:
        return await self("infer", self.model, [given("x", x)], **named)

    async def index(self) -> Any:
        found = await self.document("get_model_repository_index")
        return found["models"] if GRPC else found


@asynccontextmanager
async def connected(case: Case) -> AsyncIterator[Client]:
    client = MODULE.InferenceServerClient(case.grpc if GRPC else case.http)
    try:
        yield Client(client, case.model)
    finally:
        await settled(client.close())


def given(name: str, array: Array, binary: bool = True) -> Any:
    """An input; gRPC's are always binary."""
    tensor = MODULE.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array, **({} if GRPC else {"binary_data": binary}))
    return tensor


def wanted(name: str, binary: bool = True) -> Any:
    """An output that is asked for by name."""
    return MODULE.InferRequestedOutput(name, **({} if GRPC else {"binary_data": binary}))


def response(result: Any) -> Any:
    return result.get_response(as_json=True) if GRPC else result.get_response()


def refusal(status: str, *words: str) -> Any:
    return raising(InferenceServerException, status, *words)


async def health(case: Case) -> None:
    async with connected(case) as client:
        assert await client("is_server_live") is True
        assert await client("is_server_ready") is True
        assert await client("is_model_ready", case.model) is True
        assert await client("is_model_ready", case.model, "1") is True
        assert await client("is_model_ready", case.model, "2") is False
        assert await client("is_model_ready", "other") is False


async def metadata(case: Case) -> None:
    async with connected(case) as client:
        server = await client.document("get_server_metadata")
        assert (server["name"], server["version"]) == ("deploy-compare-reference", "2")
        assert {"model_repository", "model_configuration", "statistics"} <= set(server["extensions"])
        for version in ("", "1"):
            model = await client.document("get_model_metadata", case.model, version)
            assert (model["name"], model["versions"], model["platform"]) == (case.model, ["1"], case.platform)
            for side, name in (("inputs", "x"), ("outputs", "y")):
                (tensor,) = model[side]
                assert (tensor["name"], tensor["datatype"]) == (name, "FP32")
                assert [int(size) for size in tensor["shape"]] == [-1, 4]
        with refusal(NOT_FOUND, "'other'", case.model):
            await client.document("get_model_metadata", "other")


async def configuration(case: Case) -> None:
    async with connected(case) as client:
        for version in ("", "1"):
            config = await client.document("get_model_config", case.model, version)
            config = config["config"] if GRPC else config
            assert (config["name"], config["platform"]) == (case.model, case.platform)
            assert (config.get("max_batch_size", 0), config["input"][0]["data_type"]) == (0, "TYPE_FP32")
            assert [int(size) for size in config["output"][0]["dims"]] == [-1, 4]
        with refusal(NOT_FOUND, "'other'"):
            await client.document("get_model_config", "other")


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


async def statistics(case: Case) -> None:
    """As with Triton, rows are counted where requests may be merged, and requests where not."""
    async with connected(case) as client:
        for config, counted in (('{"max_batch_size": 4}', 3), ("{}", 1)):
            await client("load_model", case.model, config=config)
            before = await _statistics(client, case.model)
            await client.infer(case.x(3))
            after = await _statistics(client, case.model, "1")
            assert int(after["inference_count"]) - int(before["inference_count"]) == counted
            assert int(after["execution_count"]) - int(before["execution_count"]) == 1
            assert int(after["last_inference"]) >= int(before["last_inference"])
            assert counted in [int(batch["batch_size"]) for batch in after["batch_stats"]]
            for part in ("success", "queue", "compute_infer"):
                then, now = before["inference_stats"][part], after["inference_stats"][part]
                assert int(now["count"]) - int(then["count"]) == 1
                assert int(now["ns"]) > int(then["ns"])
        everything = await client.document("get_inference_statistics")
        assert case.model in [model["name"] for model in everything["model_stats"]]
        with refusal(NOT_FOUND, "'other'"):
            await client.document("get_inference_statistics", "other")


async def _statistics(client: Client, *asked: str) -> Any:
    (found,) = (await client.document("get_inference_statistics", *asked))["model_stats"]
    assert (found["name"], found["version"]) == (client.model, "1")
    return found


async def repository(case: Case) -> None:
    x = case.x(2)
    async with connected(case) as client:
        (entry,) = [entry for entry in await client.index() if entry["name"] == case.model]
        assert (entry["version"], entry["state"]) == ("1", "READY")

        await client("unload_model", case.model)
        assert await client("is_model_ready", case.model) is False
        assert await client("is_server_ready") is True
        (entry,) = [entry for entry in await client.index() if entry["name"] == case.model]
        assert (entry["state"], entry["reason"]) == ("UNAVAILABLE", "unloaded")
        with refusal(NOT_LOADED, "not loaded"):
            await client.infer(x)

        await client("load_model", case.model, config='{"max_batch_size": 16}')
        found = await client.document("get_model_config", case.model)
        found = found["config"] if GRPC else found
        assert (found["max_batch_size"], [int(size) for size in found["input"][0]["dims"]]) == (16, [4])
        same((await client.infer(x)).as_numpy("y"), 2 * x + 1)

        with refusal(INVALID, "cannot be loaded", "max_batch"):
            await client("load_model", case.model, config='{"max_batch": 16}')
        with refusal(INVALID, "file:"):
            await client("load_model", case.model, config="{}", files={"file:1/model.onnx": b"\0\1"})
        for method in ("load_model", "unload_model"):
            with refusal(NOT_FOUND, "'other'"):
                await client(method, "other")
        assert await client("is_model_ready", case.model) is True  # what was refused changed nothing

        await client("load_model", case.model)
        same((await client.infer(x)).as_numpy("y"), 2 * x + 1)


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


async def deadlines(case: Case) -> None:
    x = case.x(10)
    async with connected(case) as client:
        with refusal(TOO_LATE, "20 ms"):
            await client.infer(x, timeout=20_000)
        if GRPC:
            with refusal(TOO_LATE):
                await client.infer(x, client_timeout=0.02)
        same((await client.infer(x, timeout=30_000_000)).as_numpy("y"), 2 * x + 1)


async def too_large(case: Case) -> None:
    """A client that sends all of it before it reads hears the answer nevertheless, and so does the one after it."""
    x = case.x(1)
    async with connected(case) as client:
        with refusal(TOO_LARGE, "100000"):
            await client.infer(case.x(500_000))
        same((await client.infer(x)).as_numpy("y"), 2 * x + 1)


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


if __name__ == "__main__":
    main(
        {
            "tiny": [
                health,
                metadata,
                configuration,
                inference,
                many_at_once,
                bad_requests,
                compression,
                extensions_there_are_not,
                a_stream,
                statistics,
                repository,
            ],
            "echo": [every_datatype],
            "slow": [deadlines, too_large],
        }
    )
