"""The reference server over real HTTP: Open Inference Protocol v2, JSON and binary tensors, and what it refuses."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from serving.reference.datatypes import NUMPY
from tests.serving import tiny
from tests.serving.client import Answer, as_binary, as_json, call, infer
from tests.serving.conftest import Serve

MODEL = tiny.name("onnx")
LIMIT = 200_000


@pytest.fixture(scope="module")
def url(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tiny.onnx_echo(tmp_path_factory.mktemp("echo"))
    with serve(folder, "onnxruntime", "--max-body-bytes", str(LIMIT)) as running:
        yield running


def samples() -> dict[str, np.ndarray[Any, Any]]:
    """Three values of each datatype, its extremes among them."""
    arrays = {}
    for wire, name in NUMPY.items():
        dtype = np.dtype(name)
        if dtype.kind == "b":
            values: list[Any] = [True, False, True]
        elif dtype.kind == "f":
            values = [-0.5, 0.0, np.finfo(dtype).max]
        else:
            values = [np.iinfo(dtype).min, 1, np.iinfo(dtype).max]
        arrays[wire] = np.array(values, dtype)
    return arrays


def refused(answer: Answer, status: int, *words: str) -> None:
    """The protocol's error object and nothing else, in one line that names what is wrong."""
    assert answer.status == status, answer.body
    assert list(answer.json) == ["error"]
    assert "\n" not in answer.json["error"]
    assert "Traceback" not in answer.json["error"]
    for word in words:
        assert word in answer.json["error"]


def inputs(**changed: Any) -> list[dict[str, Any]]:
    """All inputs as JSON, that of FP32 with fields changed (None: taken out)."""
    tensors = [as_json(f"in_{wire}", array) for wire, array in samples().items()]
    for tensor in tensors:
        if tensor["name"] == "in_FP32":
            tensor.update(changed)
            for field in [field for field, value in changed.items() if value is None]:
                del tensor[field]
    return tensors


@pytest.mark.parametrize("prefix", [f"/v2/models/{MODEL}", f"/v2/models/{MODEL}/versions/1"])
def test_metadata_describes_server_and_model(url: str, prefix: str) -> None:
    assert call(url, "GET", "/v2").json["extensions"][0] == "binary_tensor_data"
    assert call(url, "GET", "/v2/health/live").json == {"live": True}
    assert call(url, "GET", "/v2/health/ready").json == {"ready": True}
    assert call(url, "GET", f"{prefix}/ready").json == {"name": MODEL, "ready": True}
    metadata = call(url, "GET", prefix).json
    assert (metadata["name"], metadata["versions"], metadata["platform"]) == (MODEL, ["1"], "onnxruntime_onnx")
    assert {"name": "in_FP32", "datatype": "FP32", "shape": [-1]} in metadata["inputs"]
    assert len(metadata["outputs"]) == len(NUMPY)


@pytest.mark.parametrize("binary_input", [False, True])
@pytest.mark.parametrize("binary_output", [False, True])
def test_every_datatype_survives_both_encodings(url: str, binary_input: bool, binary_output: bool) -> None:
    arrays = samples()
    encode = as_binary if binary_input else as_json
    request = {
        "id": "request 7",
        "parameters": {"binary_data_output": binary_output},
        "inputs": [encode(f"in_{wire}", array) for wire, array in arrays.items()],
    }
    binary = b"".join(array.tobytes() for array in arrays.values()) if binary_input else None
    answer = infer(url, MODEL, request, binary)
    assert answer.status == 200, answer.json
    assert (answer.json["id"], answer.json["model_name"], answer.json["model_version"]) == ("request 7", MODEL, "1")
    assert ("inference-header-content-length" in answer.headers) is binary_output
    for wire, array in arrays.items():
        np.testing.assert_array_equal(answer.arrays()[f"out_{wire}"], array)


def test_inputs_may_mix_encodings_and_outputs_are_chosen_one_by_one(url: str) -> None:
    arrays = samples()
    tensors = inputs()
    tensors[3] = as_binary("in_INT32", arrays["INT32"])
    assert list(NUMPY)[3] == "INT32"
    outputs = [{"name": "out_FP64"}, {"name": "out_INT32", "parameters": {"binary_data": True}}]
    answer = infer(url, MODEL, {"inputs": tensors, "outputs": outputs}, arrays["INT32"].tobytes())
    assert [tensor["name"] for tensor in answer.json["outputs"]] == ["out_FP64", "out_INT32"]
    assert "data" in answer.json["outputs"][0]
    assert answer.json["outputs"][1]["parameters"] == {"binary_data_size": 12}
    np.testing.assert_array_equal(answer.arrays()["out_INT32"], arrays["INT32"])


def test_nested_data_is_accepted(url: str) -> None:
    assert infer(url, MODEL, {"inputs": inputs(data=[[1, 2.5], [3.0, 4]], shape=[4])}).status == 400  # axis n differs
    assert infer(url, MODEL, {"inputs": inputs(data=[[1], [2.5], [3]])}).status == 200


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"data": ["1", "2", "3"]}, ["in_FP32", "FP32"]),
        ({"data": [1, None, 3]}, ["in_FP32"]),
        ({"data": [1, True, 3]}, ["in_FP32"]),
        ({"data": [1e300, 0, 0]}, ["range"]),
        ({"data": [[1, 2], [3]]}, ["ragged"]),
        ({"data": [1, [2], 3]}, ["in_FP32"]),
        ({"data": {"0": 1}}, ["list"]),
        ({"data": [1, 2]}, ["shape", "3", "2"]),
        ({"data": None}, ["in_FP32"]),
        ({"shape": [-3]}, ["shape"]),
        ({"shape": ["n"]}, ["shape"]),
        ({"shape": [True]}, ["shape"]),
        ({"shape": [2**70]}, ["shape"]),
        ({"shape": [0, 2**62, 2**62], "data": []}, ["no array of shape"]),
        ({"shape": [0], "data": []}, ["expected shape [n]"]),
        ({"shape": [3, 1]}, ["expected shape [n]", "found [3, 1]"]),
        ({"shape": [2], "data": [1, 2]}, ["axis 'n'"]),
        ({"shape": None}, ["shape"]),
        ({"datatype": "FP64"}, ["expected datatype FP32", "found FP64"]),
        ({"datatype": "BYTES"}, ["BYTES", "known"]),
        ({"datatype": ["FP32"]}, ["datatype"]),
        ({"name": "in_FP33"}, ["in_FP33", "known"]),
        ({"name": None}, ["name"]),
        ({"name": "in_INT8"}, ["in_INT8"]),
        ({"parameters": []}, []),
        ({"parameters": [1]}, ["parameters"]),
        ({"parameters": {"binary_data_size": 12}}, ["both"]),
    ],
)
def test_a_bad_input_is_refused(url: str, changed: dict[str, Any], words: list[str]) -> None:
    answer = infer(url, MODEL, {"inputs": inputs(**changed)})
    if changed == {"parameters": []}:  # an empty list says nothing, so it is let pass like an absent one
        assert answer.status == 200
    else:
        refused(answer, 400, *words)


@pytest.mark.parametrize(
    ("wire", "value"), [("INT8", 128), ("UINT8", -1), ("UINT64", 2**64), ("INT32", 1.5), ("BOOL", 1)]
)
def test_integers_are_never_wrapped_or_rounded(url: str, wire: str, value: float) -> None:
    tensors = inputs()
    tensors[list(NUMPY).index(wire)]["data"][0] = value
    refused(infer(url, MODEL, {"inputs": tensors}), 400, f"in_{wire}", wire)


@pytest.mark.parametrize(
    "request_fields",
    [[], "x", 3, None, {}, {"inputs": {}}, {"inputs": [3]}, {"inputs": []}, {"id": 7, "inputs": []}],
)
def test_a_malformed_request_is_refused(url: str, request_fields: object) -> None:
    refused(infer(url, MODEL, request_fields), 400)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 5000, b'{"inputs": NaN}'])
def test_what_is_not_json_is_refused(url: str, body: bytes) -> None:
    refused(call(url, "POST", f"/v2/models/{MODEL}/infer", body), 400, "the request is not")


@pytest.mark.parametrize("outputs", [["out_FP32"], [{"name": "out"}], {"name": "out_FP32"}, [{}]])
def test_a_bad_choice_of_outputs_is_refused(url: str, outputs: object) -> None:
    refused(infer(url, MODEL, {"inputs": inputs(), "outputs": outputs}), 400, "output")


@pytest.mark.parametrize(("size", "sent"), [(11, 11), (12, 8), (12, 16), (-4, 0), ("12", 12), (True, 12), (10**30, 12)])
def test_bad_binary_framing_is_refused(url: str, size: object, sent: int) -> None:
    tensors = inputs(data=None, parameters={"binary_data_size": size})
    refused(infer(url, MODEL, {"inputs": tensors}, bytes(sent)), 400, "byte")


@pytest.mark.parametrize("length", ["-1", "x", "", "999999", "3", "1e3", "9" * 30, "9" * 5000])
def test_a_bad_header_length_is_refused(url: str, length: str) -> None:
    body = json.dumps({"inputs": inputs()}).encode()
    headers = {"Inference-Header-Content-Length": length}
    refused(call(url, "POST", f"/v2/models/{MODEL}/infer", body, headers), 400)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/models/other", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("GET", f"/v2/models/{MODEL}/versions/2", 404),
        ("POST", f"/v2/models/{MODEL}/versions/2/infer", 404),
        ("GET", f"/v2/models/{MODEL}/versions", 404),
        ("GET", f"/v2/models/{MODEL}/infer", 405),
        ("DELETE", f"/v2/models/{MODEL}", 405),
        ("POST", "/v2/health/ready", 405),
    ],
)
def test_unknown_paths_and_methods(url: str, method: str, path: str, status: int) -> None:
    answer = call(url, method, path)
    refused(answer, status)
    assert ("allow" in answer.headers) is (status == 405)


def test_bodies_must_have_a_known_and_bounded_length(url: str) -> None:
    path = f"/v2/models/{MODEL}/infer"
    refused(raw(url, f"POST {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()), 400, "not JSON")
    refused(call(url, "POST", path, bytes(LIMIT + 1)), 413, str(LIMIT))
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (LIMIT + 1, bytes(LIMIT + 1))
    refused(raw(url, f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks), 413)
    refused(call(url, "POST", path, b"{}", {"Content-Encoding": "gzip"}), 415)


def test_a_client_that_hangs_or_leaves_does_not_hurt_the_next(url: str) -> None:
    half = f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode()
    with socket.create_connection(_address(url)) as hanging, socket.create_connection(_address(url)) as leaving:
        hanging.sendall(half)
        leaving.sendall(half)
        leaving.close()
        assert infer(url, MODEL, {"inputs": inputs()}).status == 200


def raw(url: str, data: bytes) -> Answer:
    """What comes back for bytes that no well-behaved client sends."""
    import http.client

    with socket.create_connection(_address(url), timeout=10) as connection:
        connection.sendall(data)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return Answer(response)


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)
