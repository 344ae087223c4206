"""KServe's gRPC client, raw and typed contents: `python -m tests.serving.clients.kserve_grpc`."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc
from kserve import InferenceGRPCClient, InferInput, InferRequest
from kserve.utils.numpy_codec import from_np_dtype

from tests.serving.clients.driver import Array, Case, main, raising, same
from tests.serving.echo import sample

logging.disable(logging.ERROR)  # it writes a traceback for every error that it raises


def request(case: Case, arrays: dict[str, Array], raw: bool, **named: Any) -> Any:
    """An inference request with the tensors as raw bytes, or in the fields of their datatypes."""
    inputs = []
    for name, array in arrays.items():
        datatype = from_np_dtype(array.dtype)
        data = None if raw else array.ravel().tolist()
        inputs.append(InferInput(name, list(array.shape), datatype, data=data))
        if raw:
            inputs[-1].set_data_from_numpy(array)
    return InferRequest(named.pop("model", case.model), inputs, **named)


def refusal(status: str, *words: str) -> Any:
    return raising(grpc.RpcError, status, *words)


async def health(case: Case) -> None:
    async with InferenceGRPCClient(case.grpc) as client:
        assert await client.is_server_live() is True
        assert await client.is_server_ready() is True
        assert await client.is_model_ready(case.model) is True
        assert await client.is_model_ready("other") is False


async def inference(case: Case) -> None:
    async with InferenceGRPCClient(case.grpc) as client:
        for rows in (1, 3):
            x = case.x(rows)
            for raw in (True, False):
                answer = await client.infer(request(case, {"x": x}, raw, request_id="request 7"))
                assert (answer.id, answer.model_name, answer.model_version) == ("request 7", case.model, "1")
                same(answer.outputs[0].as_numpy(), 2 * x + 1)
        asked = [case.x(1, start=number) for number in range(8)]
        answers = await asyncio.gather(*(client.infer(request(case, {"x": x}, raw=True)) for x in asked))
        for x, answer in zip(asked, answers, strict=True):
            same(answer.outputs[0].as_numpy(), 2 * x + 1)


async def bad_requests(case: Case) -> None:
    x = case.x(1)
    async with InferenceGRPCClient(case.grpc) as client:
        with refusal("NOT_FOUND", "'other'", case.model):
            await client.infer(request(case, {"x": x}, raw=True, model="other"))
        with refusal("INVALID_ARGUMENT", "input 'x'", "[batch, 4]", "[4]"):
            await client.infer(request(case, {"x": x[0]}, raw=False))
        with refusal("INVALID_ARGUMENT", "input 'z'"):
            await client.infer(request(case, {"z": x}, raw=True))


async def limits(case: Case) -> None:
    x = case.x(10)
    async with InferenceGRPCClient(case.grpc) as client:
        with refusal("DEADLINE_EXCEEDED", "20 ms"):
            await client.infer(request(case, {"x": x}, raw=True, parameters={"timeout": 20_000}))
        with refusal("DEADLINE_EXCEEDED"):
            await client.infer(request(case, {"x": x}, raw=True), timeout=0.02)
        with refusal("RESOURCE_EXHAUSTED", "100000"):
            await client.infer(request(case, {"x": case.x(500_000)}, raw=True))
        answer = await client.infer(request(case, {"x": x}, raw=True))
        same(answer.outputs[0].as_numpy(), 2 * x + 1)


async def every_datatype(case: Case) -> None:
    """The protocol has no field for FP16."""
    arrays = {f"in_{dtype}": sample(dtype) for dtype in case.dtypes}
    async with InferenceGRPCClient(case.grpc) as client:
        for raw in (True,) if "float16" in case.dtypes else (True, False):
            answer = await client.infer(request(case, arrays, raw))
            for dtype in case.dtypes:
                same(answer.get_output_by_name(f"out_{dtype}").as_numpy(), arrays[f"in_{dtype}"])


if __name__ == "__main__":
    main({"tiny": [health, inference, bad_requests], "echo": [every_datatype], "slow": [limits]})
