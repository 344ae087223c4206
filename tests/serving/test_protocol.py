"""The reference server over real HTTP: Open Inference Protocol v2, JSON and binary tensors, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from serving.reference.datatypes import NUMPY, to_bytes, to_json
from serving.reference.errors import RequestError
from tests.serving import tiny
from tests.serving.client import as_binary, as_json, binary, call, infer, refused
from tests.serving.conftest import Serve

MODEL = tiny.name("onnx")


@pytest.fixture(scope="module")
def url(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tiny.onnx_echo(tmp_path_factory.mktemp("echo"))
    with serve(folder, "onnxruntime") as running:
        yield running


def samples() -> dict[str, np.ndarray[Any, Any]]:
    """Three values of each datatype, its extremes among them."""
    arrays = {}
    for wire, name in NUMPY.items():
        dtype = np.dtype(name)
        if dtype.kind == "O":
            values: list[Any] = [b"", "grün".encode(), b"a\0b\0"]
        elif dtype.kind == "b":
            values = [True, False, True]
        elif dtype.kind == "f":
            values = [-0.5, 0.0, np.finfo(dtype).max]
        else:
            values = [np.iinfo(dtype).min, 1, np.iinfo(dtype).max]
        arrays[wire] = np.array(values, dtype)
    return arrays


def inputs(**changed: Any) -> list[dict[str, Any]]:
    """All inputs as JSON, that of FP32 with fields changed (None: taken out)."""
    tensors = [as_json(f"in_{wire}", array) for wire, array in samples().items()]
    for tensor in tensors:
        if tensor["name"] == "in_FP32":
            tensor.update(changed)
            for field in [field for field, value in changed.items() if value is None]:
                del tensor[field]
    return tensors


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
    follows = b"".join(map(binary, arrays.values())) if binary_input else None
    answer = infer(url, MODEL, request, follows)
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
        ({"data": {"0": 1}}, ["array", "data"]),
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
        ({"datatype": "BYTES"}, ["BYTES"]),
        ({"datatype": "FP8"}, ["FP8", "known"]),
        ({"datatype": ["FP32"]}, ["datatype"]),
        ({"name": "in_FP33"}, ["in_FP33", "known"]),
        ({"name": None}, ["name"]),
        ({"name": "in_INT8"}, ["in_INT8"]),
        ({"parameters": [1]}, ["parameters"]),
        ({"parameters": {"binary_data_size": 12}}, ["both"]),
    ],
)
def test_a_bad_input_is_refused(url: str, changed: dict[str, Any], words: list[str]) -> None:
    refused(infer(url, MODEL, {"inputs": inputs(**changed)}), 400, *words)


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
    answer = infer(url, MODEL, {"inputs": tensors}, bytes(sent))
    refused(answer, 400)
    assert "byte" in answer.json["error"] or "binary_data_size" in answer.json["error"]


@pytest.mark.parametrize("length", ["-1", "x", "", "999999", "3", "1e3", "9" * 30, "9" * 5000])
def test_a_bad_header_length_is_refused(url: str, length: str) -> None:
    body = json.dumps({"inputs": inputs()}).encode()
    headers = {"Inference-Header-Content-Length": length}
    refused(call(url, "POST", f"/v2/models/{MODEL}/infer", body, headers), 400)


def test_bytes_may_be_long_empty_and_hold_zeros(url: str) -> None:
    values = np.array([b"", b"\0a\0", b"x" * 70_000], object)  # the last makes the body one that is read in place
    others = [as_json(f"in_{wire}", array) for wire, array in samples().items() if wire != "BYTES"]
    outputs = [{"name": "out_BYTES", "parameters": {"binary_data": True}}]
    request = {"inputs": [*others, as_binary("in_BYTES", values)], "outputs": outputs}
    answer = infer(url, MODEL, request, binary(values))
    assert answer.arrays()["out_BYTES"].tolist() == values.tolist()


def test_bytes_that_are_no_text_go_out_in_binary_only() -> None:
    values = np.array([b"\xff"], object)
    assert bytes(to_bytes(values)) == b"\x01\0\0\0\xff"
    with pytest.raises(RequestError, match=r"'y' is not UTF-8.*binary"):
        to_json("y", values)


@pytest.mark.parametrize("raw", [b"\x05\0\0\0abc", b"\0\0", b"\xff\xff\xff\xff"])
def test_bytes_whose_lengths_do_not_add_up_are_refused(url: str, raw: bytes) -> None:
    tensors = [tensor for tensor in inputs() if tensor["name"] != "in_BYTES"]
    tensors.append(
        {"name": "in_BYTES", "shape": [3], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}
    )
    refused(infer(url, MODEL, {"inputs": tensors}, raw), 400, "in_BYTES")


def test_a_deadline_in_the_request_is_read_and_bounded(url: str) -> None:
    assert infer(url, MODEL, {"inputs": inputs(), "parameters": {"timeout": 10_000_000}}).status == 200
    assert infer(url, MODEL, {"inputs": inputs(), "parameters": {"timeout": 0}}).status == 200
    for timeout in (-1, 1.5, "1", True, 10**12):
        refused(infer(url, MODEL, {"inputs": inputs(), "parameters": {"timeout": timeout}}), 400, "timeout")


def test_a_request_that_cannot_be_answered_in_time_is_a_504(url: str) -> None:
    refused(infer(url, MODEL, {"inputs": inputs(), "parameters": {"timeout": 1}}), 504, "deadline")


def test_nan_and_infinity_are_null_in_json_and_themselves_in_binary(url: str) -> None:
    values = np.array([np.nan, np.inf, 1], np.float32)
    others = [as_json(f"in_{wire}", array) for wire, array in samples().items() if wire != "FP32"]
    request: dict[str, Any] = {"inputs": [*others, as_binary("in_FP32", values)], "outputs": [{"name": "out_FP32"}]}
    assert infer(url, MODEL, request, binary(values)).json["outputs"][0]["data"] == [None, None, 1.0]
    request["parameters"] = {"binary_data_output": True}
    np.testing.assert_array_equal(infer(url, MODEL, request, binary(values)).arrays()["out_FP32"], values)
