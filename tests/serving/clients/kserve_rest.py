"""KServe's REST client, which speaks v2 and, for `:predict`, v1: `python -m tests.serving.clients.kserve_rest`."""

from __future__ import annotations

from typing import Any

import httpx
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from kserve.utils.numpy_codec import from_np_dtype

from tests.serving.clients.driver import Array, Case, main, raising, same
from tests.serving.echo import sample


def client(protocol: str = "v2") -> Any:
    return InferenceRESTClient(RESTConfig(protocol=protocol, timeout=30))


def url(case: Case) -> str:
    return f"http://{case.http}"


def request(case: Case, arrays: dict[str, Array], binary: list[bool], **named: Any) -> Any:
    """An inference request whose inputs are binary or not, in turn."""
    inputs = []
    for at, (name, array) in enumerate(arrays.items()):
        inputs.append(InferInput(name, list(array.shape), from_np_dtype(array.dtype)))
        inputs[-1].set_data_from_numpy(array, binary_data=binary[at % len(binary)])
    return InferRequest(case.model, inputs, **named)


def refusal(status: int, *words: str) -> Any:
    return raising(httpx.HTTPStatusError, str(status), *words)


async def health(case: Case) -> None:
    async with client() as rest:
        assert await rest.is_server_live(url(case)) is True
        assert await rest.is_server_ready(url(case)) is True
        assert await rest.is_model_ready(url(case), case.model) is True
        assert await rest.is_model_ready(url(case), "other") is False


async def inference(case: Case) -> None:
    async with client() as rest:
        for rows in (1, 3):
            x = case.x(rows)
            for binary_input in (False, True):
                for binary_output in (False, True, None):
                    asked = {
                        "request_outputs": [RequestedOutput("y", {"binary_data": binary_output})],
                        "parameters": {"binary_data_output": not binary_output},  # an output's own word goes first
                    }
                    wanted: dict[str, Any] = {} if binary_output is None else asked
                    infer = request(case, {"x": x}, [binary_input], request_id="request 7", **wanted)
                    headers: dict[str, str] = {}
                    answer = await rest.infer(url(case), infer, model_name=case.model, response_headers=headers)
                    assert (answer.id, answer.model_name) == ("request 7", case.model)
                    same(answer.outputs[0].as_numpy(), 2 * x + 1)
                    assert ("inference-header-content-length" in headers) is bool(binary_output)
        document = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": case.x(1).tolist()}]}
        answer = await rest.infer(url(case), document, model_name=case.model)
        same(answer.outputs[0].as_numpy(), 2 * case.x(1) + 1)


async def bad_requests(case: Case) -> None:
    x = case.x(1)
    async with client() as rest:
        with refusal(404, "'other'", case.model):
            await rest.infer(url(case), request(case, {"x": x}, [True]), model_name="other")
        with refusal(400, "input 'x'", "[batch, 4]", "[4]"):
            await rest.infer(url(case), request(case, {"x": x[0]}, [True]), model_name=case.model)
        with refusal(400, "input 'z'"):
            await rest.infer(url(case), request(case, {"z": x}, [False]), model_name=case.model)


async def predictions(case: Case) -> None:
    """By the v1 protocol, which is TensorFlow Serving's as far as `:predict` goes."""
    x = case.x(2)
    async with client("v1") as rest:
        for instances in (x.tolist(), [{"x": row} for row in x.tolist()]):
            answer = await rest.infer(url(case), {"instances": instances}, model_name=case.model)
            assert answer == {"predictions": (2 * x + 1).tolist()}
        assert await rest.is_server_live(url(case)) is True
        assert await rest.is_model_ready(url(case), case.model) is True
        with refusal(404, "'other'"):
            await rest.is_model_ready(url(case), "other")
        with refusal(400, "instances"):
            await rest.infer(url(case), {"instance": x.tolist()}, model_name=case.model)


async def limits(case: Case) -> None:
    x = case.x(10)
    async with client() as rest:
        with refusal(504, "20 ms"):
            await rest.infer(url(case), request(case, {"x": x}, [True], parameters={"timeout": 20_000}), case.model)
        with refusal(413, "100000"):
            await rest.infer(url(case), request(case, {"x": case.x(500_000)}, [True]), case.model)
        answer = await rest.infer(url(case), request(case, {"x": x}, [True]), case.model)
        same(answer.outputs[0].as_numpy(), 2 * x + 1)


async def every_datatype(case: Case) -> None:
    """FP16 goes as binary only: this client has no other way for it."""
    arrays = {f"in_{dtype}": sample(dtype) for dtype in case.dtypes}
    async with client() as rest:
        for binary in (True, False):
            outputs = [RequestedOutput(f"out_{dtype}", {"binary_data": binary}) for dtype in case.dtypes]
            kinds = [binary or dtype == "float16" for dtype in case.dtypes]
            infer = request(case, arrays, kinds, request_outputs=outputs)
            answer = await rest.infer(url(case), infer, model_name=case.model)
            for dtype in case.dtypes:
                same(answer.get_output_by_name(f"out_{dtype}").as_numpy(), arrays[f"in_{dtype}"])


if __name__ == "__main__":
    main({"tiny": [health, inference, bad_requests, predictions], "echo": [every_datatype], "slow": [limits]})
