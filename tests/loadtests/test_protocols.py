"""The wire protocols: what each carries comes back, and what is wrong is said. A server's side: tests/serving."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import grpc
import numpy as np
import pytest

from loadtests import datatypes, protocols, untyped
from loadtests.errors import NotReady, ProtocolError, UnknownProtocol
from loadtests.protocols import oip_grpc, oip_http_json, tfs_grpc, tfs_rest
from loadtests.protos import oip_pb2 as oip
from loadtests.untyped import UNNAMED

NUMERIC = list(datatypes.DTYPES.values())
X = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}


def some(dtype: np.dtype[Any]) -> np.ndarray:
    if dtype.kind == "f":
        return np.array([[-1.5, 0.0, np.finfo(dtype).max]], dtype=dtype)
    if dtype.kind == "b":
        return np.array([[True, False, True]])
    return np.array([[np.iinfo(dtype).min, 0, np.iinfo(dtype).max]], dtype=dtype)


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape


def test_protocols_are_discovered_by_their_wire_names() -> None:
    assert protocols.NAMES == ["oip-grpc", "oip-http", "oip-http-json", "tfs-grpc", "tfs-rest"]
    assert protocols.load("oip-http") is protocols.load("oip_http")
    assert [name for name in protocols.NAMES if protocols.load(name).TRANSPORT == "grpc"] == ["oip-grpc", "tfs-grpc"]
    with pytest.raises(UnknownProtocol, match=r"unknown protocol 'oip-smoke'; known: .*oip-http"):
        protocols.load("oip-smoke")


def test_tensorflow_is_not_imported_before_its_protocol_is_used() -> None:
    code = "import sys; from loadtests import protocols; list(map(protocols.load, protocols.NAMES)); "
    code += "sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def oip_answer(body: bytes, typed: bool = False) -> bytes:
    """A response with the request's inputs as its outputs."""
    asked = oip.ModelInferRequest.FromString(body)
    answer = oip.ModelInferResponse()
    for tensor, raw in zip(asked.inputs, asked.raw_input_contents, strict=True):
        output = answer.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if typed:
            values = np.frombuffer(raw, datatypes.DTYPES[tensor.datatype]).tolist()
            getattr(output.contents, oip_grpc._CONTENTS[tensor.datatype]).extend(values)
        else:
            answer.raw_output_contents.append(raw)
    serialized: bytes = answer.SerializeToString()
    return serialized


def test_oip_grpc_carries_every_numeric_datatype_raw() -> None:
    sent = {f"in_{dtype}": some(dtype) for dtype in NUMERIC} | {"empty": np.zeros((0, 2), np.int8)}
    request = oip_grpc.encode("m", sent)
    assert request.path == "/inference.GRPCInferenceService/ModelInfer"
    assert oip.ModelInferRequest.FromString(request.body).model_name == "m"
    same(oip_grpc.decode(0, {}, oip_answer(request.body)), sent)


def test_oip_grpc_reads_typed_contents() -> None:
    sent = {f"in_{dtype}": some(dtype) for dtype in NUMERIC if dtype != np.float16}
    same(oip_grpc.decode(0, {}, oip_answer(oip_grpc.encode("m", sent).body, typed=True)), sent)


def test_oip_grpc_asks_for_outputs_by_name() -> None:
    asked = oip.ModelInferRequest.FromString(oip_grpc.encode("m", X, outputs=["y", "z"]).body)
    assert [output.name for output in asked.outputs] == ["y", "z"]


def oip_output(*raw: bytes, **changes: Any) -> bytes:
    output: dict[str, Any] = {"name": "y", "datatype": "FP32", "shape": [1, 2]} | changes
    serialized: bytes = oip.ModelInferResponse(outputs=[output], raw_output_contents=raw).SerializeToString()
    return serialized


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "not a ModelInferResponse"),
        (oip_output(bytes(7)), "has 7 bytes"),
        (oip_output(bytes(8), shape=[-1, -2]), "has 8 bytes"),
        (oip_output(bytes(8), bytes(8)), "holds 2 tensors, outputs 1"),
        (oip_output(bytes(8), datatype="BYTES"), "is BYTES; known: BOOL"),
        (oip_output(), "do not fit"),
        (oip_output(datatype="INT8", shape=[1], contents={"int_contents": [300]}), "do not fit"),
    ],
)
def test_an_oip_grpc_answer_that_is_none_says_what_is_wrong(body: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        oip_grpc.decode(0, {}, body)


@pytest.mark.parametrize("protocol", [oip_grpc, tfs_grpc])
def test_a_status_of_grpc_carries_its_name_and_the_servers_words(protocol: Any) -> None:
    with pytest.raises(ProtocolError, match="status 5 NOT_FOUND: no model m"):
        protocol.decode(5, {"grpc-message": "no model m"}, b"")
    with pytest.raises(ProtocolError, match=r"status 99 \?: no message"):
        protocol.decode(99, {}, b"")


def test_oip_http_json_is_oip_http_without_binary() -> None:
    request = oip_http_json.encode("m", X, outputs=["y"])
    assert request.headers == {"Content-Type": "application/json"}
    asked = json.loads(request.body)
    assert asked["outputs"] == [{"name": "y", "parameters": {"binary_data": False}}]
    same(oip_http_json.decode(200, {}, json.dumps({"outputs": asked["inputs"]}).encode()), X)


def test_tfs_rest_sends_one_input_by_rows_and_several_by_columns() -> None:
    request = tfs_rest.encode("a model/1", X)
    assert request.path == "/v1/models/a%20model%2F1:predict"
    rows = [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert json.loads(request.body) == {"signature_name": "serving_default", "instances": rows}
    several = json.loads(tfs_rest.encode("m", X | {"n": np.array(3)}).body)
    assert several == {"signature_name": "serving_default", "inputs": {"x": rows, "n": 3}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"predictions": [[0.5, 2], [1, 1]]}, {UNNAMED: np.array([[0.5, 2], [1, 1]])}),
        ({"predictions": [{"a": 1, "b": [True]}, {"a": 2, "b": [False]}]}, {"a": np.array([1, 2]), "b": np.array([[True], [False]])}),  # noqa: E501
        ({"outputs": [1, 2]}, {UNNAMED: np.array([1, 2])}),
        ({"outputs": {"a": [1], "b": 2.5}}, {"a": np.array([1]), "b": np.array(2.5)}),
        ({"outputs": [1.0, None]}, {UNNAMED: np.array([1.0, np.nan])}),
    ],
)  # fmt: skip
def test_tfs_rest_reads_rows_and_columns(answer: object, expected: dict[str, np.ndarray]) -> None:
    same(tfs_rest.decode(200, {}, json.dumps(answer).encode()), expected)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "not a prediction"),
        (b"[]", "not a prediction"),
        (b"{}", "not a prediction"),
        (b'{"predictions": [{"a": 1}, {"b": 2}]}', "not a prediction"),
        (b'{"outputs": [[1], [1, 2]]}', "not a tensor"),
        (b'{"outputs": ["text"]}', "does not hold numbers"),
        (b'{"outputs": {"a": {"b64": "AA=="}}}', "not a tensor"),
    ],
)
def test_a_tfs_rest_answer_that_is_none_says_what_is_wrong(body: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        tfs_rest.decode(200, {}, body)


@pytest.mark.parametrize(
    ("tensors", "outputs", "words"),
    [
        ({"x": np.array([np.nan])}, None, "no NaN"),
        ({"x": np.array(["a"])}, None, "known: booleans, integers and floats"),
        (X, ["y"], "always answers with all outputs"),
    ],
)
def test_what_tfs_rest_cannot_carry_is_refused(
    tensors: dict[str, np.ndarray], outputs: list[str] | None, words: str
) -> None:
    with pytest.raises(ProtocolError, match=words):
        tfs_rest.encode("m", tensors, outputs)


@pytest.mark.parametrize("dtype", [dtype for dtype in NUMERIC if dtype != np.uint64], ids=str)
def test_what_json_does_not_tell_is_taken_from_what_is_expected(dtype: np.dtype[Any]) -> None:
    expected = {"y": some(dtype)}
    answered = json.dumps({"outputs": expected["y"].tolist()}).encode()
    same(untyped.fit(tfs_rest.decode(200, {}, answered), expected), expected)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (np.array([0.5]), np.array([1], np.int32)),  # a fraction is no integer
        (np.array([300]), np.array([1], np.uint8)),  # too large
        (np.array([True]), np.array([1.0], np.float32)),
    ],
)
def test_what_json_cannot_have_meant_is_left_as_it_is(found: np.ndarray, expected: np.ndarray) -> None:
    same(untyped.fit({UNNAMED: found}, {"y": expected}), {"y": found})
    same(untyped.fit({UNNAMED: found}, {"y": expected, "z": expected}), {UNNAMED: found})


@contextmanager
def answering(answer: Callable[[bytes, grpc.ServicerContext], bytes]) -> Iterator[str]:
    """A gRPC server that answers every method alike; yields its URL."""

    class Handler(grpc.GenericRpcHandler):
        def service(self, _: object) -> Any:
            return grpc.unary_unary_rpc_method_handler(answer)

    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=[Handler()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"grpc://127.0.0.1:{port}"
        finally:
            server.stop(None)


def abort(code: grpc.StatusCode) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    return lambda _, context: context.abort(code, "out of cheese")


def hang(_: bytes, context: grpc.ServicerContext) -> bytes:
    while context.is_active():
        time.sleep(0.01)
    return b""


def test_infer_over_grpc_asks_a_server() -> None:
    with answering(lambda body, _: oip_answer(body)) as url:
        same(oip_grpc.infer(url, "m", X, timeout_s=5), X)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (abort(grpc.StatusCode.UNAVAILABLE), NotReady, "UNAVAILABLE: out of cheese"),
        (hang, NotReady, "DEADLINE_EXCEEDED"),
        (abort(grpc.StatusCode.NOT_FOUND), ProtocolError, "NOT_FOUND: out of cheese"),
        (lambda _, __: b"<html>", ProtocolError, "not a ModelInferResponse"),
    ],
)
def test_infer_over_grpc_tells_not_ready_from_wrong(
    answer: Callable[[bytes, grpc.ServicerContext], bytes], error: type[Exception], words: str
) -> None:
    with answering(answer) as url, pytest.raises(error, match=words):
        oip_grpc.infer(url, "m", X, timeout_s=0.5)


def test_nothing_listening_is_not_ready_and_the_next_try_comes_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    for _ in range(3):
        with pytest.raises(NotReady, match="refused"):
            oip_grpc.infer(f"grpc://127.0.0.1:{port}", "m", X, timeout_s=5)
    with answering(lambda body, _: oip_answer(body)) as url:
        same(oip_grpc.infer(url, "m", X, timeout_s=5), X)


def test_a_server_that_is_starting_is_not_ready_over_every_http(
    serving: Callable[[str], AbstractContextManager[str]],
) -> None:
    for name in ("oip-http", "oip-http-json", "tfs-rest"):
        assert protocols.load(name).TRANSPORT == "http"
    with serving("starting") as url, pytest.raises(NotReady, match="status 503: still loading"):
        protocols.load("oip-http").infer(url, "m", X, timeout_s=5)


@pytest.mark.slow
def test_tfs_grpc_carries_every_numeric_datatype() -> None:
    from tensorflow_serving.apis import predict_pb2

    sent = {f"in_{dtype}": some(dtype) for dtype in NUMERIC} | {"empty": np.zeros((0, 2), np.int8)}
    asked = predict_pb2.PredictRequest.FromString(tfs_grpc.encode("m", sent, outputs=["y"]).body)
    assert (asked.model_spec.name, asked.model_spec.signature_name, asked.output_filter) == (
        "m",
        "serving_default",
        ["y"],
    )
    same(tfs_grpc.decode(0, {}, predict_pb2.PredictResponse(outputs=asked.inputs).SerializeToString()), sent)
    listed = predict_pb2.PredictResponse()
    listed.outputs["y"].dtype = 1
    listed.outputs["y"].tensor_shape.dim.add(size=2)
    listed.outputs["y"].float_val.extend([1, 2])
    same(tfs_grpc.decode(0, {}, listed.SerializeToString()), {"y": np.array([1, 2], np.float32)})
    listed.outputs["y"].float_val.append(3)
    for body, words in ((b"<html>", "not a PredictResponse"), (listed.SerializeToString(), "not a PredictResponse")):
        with pytest.raises(ProtocolError, match=words):
            tfs_grpc.decode(0, {}, body)
