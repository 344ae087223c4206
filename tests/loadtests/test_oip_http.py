"""The Open Inference Protocol over HTTP: what is encoded is decoded, and what is wrong is said."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest

from loadtests import datatypes
from loadtests.errors import NotReady, ProtocolError
from loadtests.protocols import oip_http

X = {"x": np.arange(4, dtype=np.float32).reshape(1, 4)}


def echo(body: bytes, split: int) -> bytes:
    """A response with the request's inputs as its outputs."""
    header = json.loads(body[:split])
    return json.dumps({"model_name": "m", "outputs": header["inputs"]}).encode()


def some(dtype: np.dtype[Any]) -> np.ndarray:
    if dtype.kind == "f":
        return np.array([[-1.5, 0.0, np.finfo(dtype).max]], dtype=dtype)
    if dtype.kind == "b":
        return np.array([[True, False, True]])
    return np.array([[np.iinfo(dtype).min, 0, np.iinfo(dtype).max]], dtype=dtype)


@pytest.mark.parametrize("datatype", datatypes.DTYPES)
def test_every_numeric_datatype_survives_binary(datatype: str) -> None:
    sent = {"a": some(datatypes.DTYPES[datatype]), "b": np.zeros((0, 2), dtype=datatypes.DTYPES[datatype])}
    request = oip_http.encode("m", sent)
    split = int(request.headers["Inference-Header-Content-Length"])
    assert [tensor["datatype"] for tensor in json.loads(request.body[:split])["inputs"]] == [datatype] * 2
    header = echo(request.body, split)
    headers = {"inference-header-content-length": str(len(header))}
    received = oip_http.decode(200, headers, header + request.body[split:])
    for name, array in sent.items():
        np.testing.assert_array_equal(received[name], array)
        assert received[name].dtype == array.dtype
        assert received[name].shape == array.shape


@pytest.mark.parametrize("datatype", sorted(datatypes.DTYPES.keys() - {"FP16"}))
def test_every_datatype_but_half_survives_json(datatype: str) -> None:
    sent = {"a": some(datatypes.DTYPES[datatype])}
    request = oip_http.encode("m", sent, binary=False)
    received = oip_http.decode(200, {}, echo(request.body, len(request.body)))
    np.testing.assert_array_equal(received["a"], sent["a"])
    assert received["a"].dtype == sent["a"].dtype


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones(2, dtype=np.float16), "only as binary"),
        (np.array([np.nan]), "no NaN"),
        (np.array(["a"]), "known: bool"),
    ],
)
def test_what_json_or_the_protocol_cannot_carry_is_refused(array: np.ndarray, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        oip_http.encode("m", {"x": array}, binary=False)


def test_layout_and_byte_order_are_those_of_the_wire() -> None:
    array = np.arange(6, dtype=">i4").reshape(2, 3).T
    request = oip_http.encode("m", {"x": array})
    split = int(request.headers["Inference-Header-Content-Length"])
    assert request.body[split:] == np.ascontiguousarray(array).astype("<i4").tobytes()


def test_outputs_are_asked_for_by_name_in_the_same_encoding() -> None:
    request = oip_http.encode("a model/1", X, outputs=["y"])
    split = int(request.headers["Inference-Header-Content-Length"])
    assert json.loads(request.body[:split])["outputs"] == [{"name": "y", "parameters": {"binary_data": True}}]
    assert request.path == "/v2/models/a%20model%2F1/infer"


def respond(**changes: object) -> tuple[dict[str, str], bytes]:
    """A correct binary response of 16 bytes, but for the changes to its output."""
    output = {"name": "y", "datatype": "FP32", "shape": [1, 4], "parameters": {"binary_data_size": 16}} | changes
    header = json.dumps({"outputs": [output]}).encode()
    return {"Inference-Header-Content-Length": str(len(header))}, header + bytes(16)


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (lambda: respond(parameters={"binary_data_size": 20}), "says 20 bytes"),
        (lambda: respond(parameters={"binary_data_size": -1}), "says -1 bytes"),
        (lambda: respond(shape=[1, 5]), "has 16 bytes"),
        (lambda: respond(shape=[1, 2], parameters={"binary_data_size": 8}), "8 bytes follow"),
        (lambda: respond(datatype="BYTES"), "is BYTES; known: BOOL"),
        (lambda: ({"Inference-Header-Content-Length": "999"}, b"{}"), "999 bytes are JSON"),
        (lambda: ({"Inference-Header-Content-Length": "x"}, b"{}"), "not an inference response"),
        (lambda: ({}, b"<html>"), "not an inference response"),
        (lambda: ({}, b"[]"), "not an inference response"),
        (lambda: ({}, b'{"outputs": [{"name": "y"}]}'), "not an inference response"),
        (lambda: ({}, b'{"outputs": 3}'), "not an inference response"),
    ],
)
def test_a_response_that_is_not_one_says_what_is_wrong(
    response: Callable[[], tuple[dict[str, str], bytes]], words: str
) -> None:
    with pytest.raises(ProtocolError, match=words):
        oip_http.decode(200, *response())


@pytest.mark.parametrize(
    ("body", "words"), [(b'{"error": "no model m"}', "no model m"), (b"<html>", "<html>"), (b"", "no message")]
)
def test_an_error_carries_the_servers_words(body: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=f"status 404: {words}"):
        oip_http.decode(404, {}, body)


def test_infer_asks_a_server(fast_server: str) -> None:
    np.testing.assert_array_equal(oip_http.infer(fast_server, "m", X, timeout_s=5)["y"], X["x"])


def test_nothing_listening_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(NotReady, match="refused"):
        oip_http.infer(f"http://127.0.0.1:{port}", "m", X, timeout_s=1)


@pytest.mark.parametrize(
    ("mode", "error", "words"),
    [
        ("hang", NotReady, r"no answer within 0\.2 s"),
        ("trickle", NotReady, r"no answer within 0\.2 s"),
        ("close", NotReady, "closed"),
        ("short", NotReady, "IncompleteRead"),
        ("starting", NotReady, "status 503: still loading"),
        ("status_500", ProtocolError, "status 500: out of cheese"),
        ("wrong_length", ProtocolError, "says 20 bytes"),
    ],
)
def test_infer_tells_not_ready_from_wrong(
    serving: Callable[[str], AbstractContextManager[str]], mode: str, error: type[Exception], words: str
) -> None:
    with serving(mode) as url, pytest.raises(error, match=words):
        oip_http.infer(url, "m", X, timeout_s=0.2)
