"""Long text: read on a thread of its own, so that nobody else waits for it, and answered as short text is."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from serving.engines.launch import free_port
from serving.reference import apart
from serving.reference.errors import RequestError
from serving.reference.exchange import Pending, page
from serving.reference.job import Job
from serving.reference.protos import oip_pb2 as oip
from serving.reference.request import decode
from tests.serving import tiny
from tests.serving.client import call, infer, refused
from tests.serving.grpc_client import connected, outputs
from tests.serving.running import Server, add, running
from tests.serving.working import on_a_loop

MODEL = "tiny"
X = np.arange(40_000, dtype=np.float32).reshape(10_000, 4)
LONG = json.dumps({"inputs": [{"name": "x", "shape": X.shape, "datatype": "FP32", "data": X.ravel().tolist()}]})


@pytest.fixture(scope="module")
def grpc_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, grpc_port: int) -> Iterator[Server]:
    repository = tmp_path_factory.mktemp("models")
    add(tiny.onnx(tmp_path_factory.mktemp("tiny")), repository, MODEL)
    with running(repository, "--grpc-port", str(grpc_port)) as found:
        yield found


def answered(inputs: threading.Thread | None) -> Pending:
    """What a front end makes of the input that was read."""
    job = Job({})
    job.set_result({"x": np.array(inputs is threading.current_thread())})
    return Pending(job, lambda found: page(bool(found["x"])))


@on_a_loop
async def test_the_loop_goes_on_while_long_text_is_read() -> None:
    let = threading.Event()

    def read() -> threading.Thread:
        let.wait(10)
        return threading.current_thread()

    long = apart.pending(read, answered)
    for _ in range(10):
        await asyncio.sleep(0.001)
    let.set()
    assert long.encode(await long.answer)[2] == [b"false"]  # not the loop's own thread


@on_a_loop
async def test_what_is_wrong_in_long_text_is_told() -> None:
    def read() -> None:
        raise RequestError(400, "wrong")

    with pytest.raises(RequestError, match="wrong"):
        await apart.pending(read, answered).answer


def test_long_text_is_answered_over_every_protocol(server: Server, grpc_port: int) -> None:
    rows = {"instances": X.tolist()}
    assert len(LONG) > apart.LONG_BYTES
    np.testing.assert_allclose(infer(server.url, MODEL, json.loads(LONG)).arrays()["y"], 2 * X + 1)
    answer = call(server.url, "POST", f"/v1/models/{MODEL}:predict", json.dumps(rows).encode())
    np.testing.assert_allclose(answer.json["predictions"], 2 * X + 1)
    sent = oip.ModelInferRequest(model_name=MODEL)
    sent.inputs.add(name="x", datatype="FP32", shape=X.shape).contents.fp32_contents.extend(X.ravel())
    with connected(grpc_port) as client:
        assert outputs(client.infer(sent)) == {"y": (2 * X + 1).tobytes()}
    wrong = json.dumps(rows | {"signature_name": "other"}).encode()
    refused(call(server.url, "POST", f"/v1/models/{MODEL}:predict", wrong), 400, "unknown signature 'other'")


def test_a_model_may_be_replaced_while_text_for_it_is_read(server: Server) -> None:
    statuses: list[int] = []

    def ask() -> None:
        statuses.extend(infer(server.url, MODEL, json.loads(LONG)).status for _ in range(20))

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        assert server.load(MODEL).status == 200
    assert statuses == [200] * 40


@pytest.mark.parametrize("binary", [b"", bytes(8)], ids=["JSON", "binary"])
def test_bytes_for_a_model_without_are_refused_unread(binary: bytes) -> None:
    tensor: dict[str, Any] = {"name": "x", "shape": [1], "datatype": "BYTES"}
    tensor |= {"parameters": {"binary_data_size": 8}} if binary else {"data": ["two", "values"]}
    header = json.dumps({"inputs": [tensor]}).encode()
    body, length = memoryview(header + binary), len(header) if binary else None
    with pytest.raises(RequestError, match="asks for 1 values, got 2"):
        decode(body, length)
    with pytest.raises(RequestError, match="BYTES, which no input of this model has"):
        decode(body, length, texts=False)
