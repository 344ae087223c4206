"""TensorFlow Serving's REST API: rows and columns, bytes, status and metadata, and what it refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from serving.reference import tfs_rest
from serving.reference.datatypes import NUMPY, Array
from serving.reference.errors import RequestError
from tests.serving import tiny
from tests.serving.client import Answer, as_json, call, infer, refused
from tests.serving.running import Server, add, running

Y = [[1.0, 3.0, 5.0, 7.0], [9.0, 11.0, 13.0, 15.0]]
X = [[0, 1, 2, 3], [4.0, 5, 6, 7]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`tiny` has one input and one output; `echo` has one of each datatype, and two versions."""
    folder = tmp_path_factory.mktemp("tfs")
    add(tiny.onnx(tmp_path_factory.mktemp("tiny")), folder, "tiny")
    echo = tiny.onnx_echo(tmp_path_factory.mktemp("echo"))
    add(echo, folder, "echo", "1")
    add(echo, folder, "echo", "2")
    (folder / "echo" / "config.json").write_text('{"version_policy": {"all": {}}}')
    with running(folder) as found:
        yield found


def predict(server: Server, target: str, request: object) -> Answer:
    return call(server.url, "POST", f"/v1/models/{target}:predict", json.dumps(request).encode())


def columns(**changed: Any) -> dict[str, Any]:
    """A value or two for each input of `echo`."""
    values: dict[str, Any] = {f"in_{wire}": [0, 1] for wire in NUMPY}
    return {**values, "in_BOOL": [False, True], "in_BYTES": ["a", "grün"], **changed}


def rows(**changed: Any) -> list[dict[str, Any]]:
    named = columns(**changed)
    return [dict(zip(named, values, strict=True)) for values in zip(*named.values(), strict=True)]


def written(in_rows: bool, outputs: dict[str, Array]) -> Any:
    """The answer for such outputs."""
    _, _, body, _ = tfs_rest._encode(in_rows, outputs)
    return json.loads(b"".join(body))


@pytest.mark.parametrize("target", ["tiny", "tiny/versions/1"])
def test_rows_are_answered_in_rows_and_columns_in_columns(server: Server, target: str) -> None:
    assert predict(server, target, {"instances": X}).json == {"predictions": Y}
    assert predict(server, target, {"instances": [{"x": row} for row in X]}).json == {"predictions": Y}
    assert predict(server, target, {"inputs": X}).json == {"outputs": Y}
    assert predict(server, target, {"inputs": {"x": X}, "signature_name": "serving_default"}).json == {"outputs": Y}


def test_several_outputs_are_named_in_each_row_or_above_the_columns(server: Server) -> None:
    in_columns = predict(server, "echo", {"inputs": columns()})
    assert in_columns.json == {"outputs": {name.replace("in_", "out_"): value for name, value in columns().items()}}
    in_rows = predict(server, "echo", {"instances": rows()})
    expected = [{name.replace("in_", "out_"): value for name, value in row.items()} for row in rows()]
    assert in_rows.json == {"predictions": expected}


def test_the_same_model_answers_the_same_over_both_protocols(server: Server) -> None:
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    (y,) = infer(server.url, "tiny", {"inputs": [as_json("x", x)]}).arrays().values()
    np.testing.assert_array_equal(np.float32(predict(server, "tiny", {"instances": x.tolist()}).json["predictions"]), y)


@pytest.mark.parametrize("text", ["YWI=", "YWI"])
def test_bytes_come_in_as_base64(server: Server, text: str) -> None:
    encoded = {"b64": text}
    answer = predict(server, "echo", {"inputs": columns(in_BYTES=[encoded, "x"])})
    assert answer.json["outputs"]["out_BYTES"] == ["ab", "x"]
    answer = predict(server, "echo", {"instances": rows(in_BYTES=[encoded, "x"])})
    assert [row["out_BYTES"] for row in answer.json["predictions"]] == ["ab", "x"]


def test_bytes_go_out_as_base64_where_the_name_or_the_value_asks_for_it() -> None:
    values = np.array([[b"ab"], [b"\xff"]], object)
    encoded = [[{"b64": base64.b64encode(value).decode()}] for value in (b"ab", b"\xff")]
    outputs = {"text": values, "image_bytes": values}
    assert written(False, outputs) == {"outputs": {"text": [["ab"], encoded[1]], "image_bytes": encoded}}


def test_scalars_empty_and_strided_outputs_are_written() -> None:
    outputs = {"scalar": np.float32(1.5) * np.ones(()), "empty": np.ones((2, 0)), "strided": np.ones((2, 4))[:, ::2]}
    assert written(False, outputs) == {"outputs": {"scalar": 1.5, "empty": [[], []], "strided": [[1, 1], [1, 1]]}}


def test_nan_and_infinity_are_null() -> None:
    assert written(True, {"y": np.array([np.nan, -np.inf, 1.0], np.float32)}) == {"predictions": [None, None, 1.0]}


@pytest.mark.parametrize(
    "request_fields",
    [
        {},
        [],
        "x",
        {"instances": X, "inputs": X},
        {"instances": []},
        {"instances": {"x": X}},
        {"instances": [{"x": X[0]}, X[1]]},
        {"instances": [{"x": X[0]}, {"y": X[1]}]},
        {"instances": [{"x": X[0]}, {}]},
        {"instances": [{}]},
        {"instances": [[1, 2, 3]]},
        {"instances": [[1, 2, 3, 4], [1, 2, 3]]},
        {"instances": [[1, 2, 3, "4"]]},
        {"instances": [[1, 2, 3, None]]},
        {"instances": [[1, 2, 3, True]]},
        {"instances": [[1, 2, 3, 1e300]]},
        {"instances": [[1, 2, 3, {"b64": "YWI="}]]},
        {"instances": [[1, 2, 3, {"z": 1}]]},
        {"instances": X, "signature_name": 3},
        {"inputs": None},
        {"inputs": 3},
        {"inputs": {}},
        {"inputs": {"x": X, "y": X}},
        {"inputs": {"b64": "YWI="}},
    ],
)
def test_what_the_model_does_not_take_is_refused(server: Server, request_fields: object) -> None:
    refused(predict(server, "tiny", request_fields), 400)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"in_INT8": [0, 128]}, ["in_INT8", "range"]),
        ({"in_INT32": [0, 1.0]}, ["in_INT32"]),
        ({"in_BOOL": [0, 1]}, ["in_BOOL"]),
        ({"in_FP16": [0, 1e6]}, ["in_FP16", "range"]),
        ({"in_BYTES": ["a", 1]}, ["in_BYTES"]),
        ({"in_BYTES": ["a", ["b"]]}, ["in_BYTES"]),
        ({"in_BYTES": ["a", {"b64": "?"}]}, ["in_BYTES", "base64"]),
        ({"in_BYTES": ["a", {"b64": 1}]}, ["in_BYTES"]),
        ({"in_UINT8": [1]}, ["axis 'n'"]),
        ({"in_new": [1]}, ["in_new", "known"]),
    ],
)
def test_datatypes_are_as_strict_as_in_the_open_inference_protocol(
    server: Server, changed: dict[str, Any], words: list[str]
) -> None:
    refused(predict(server, "echo", {"inputs": columns(**changed)}), 400, *words)


def test_several_inputs_must_be_named(server: Server) -> None:
    refused(predict(server, "echo", {"instances": [1, 2]}), 400, "in_BOOL")


@pytest.mark.parametrize("form", ["instances", "inputs"])
@pytest.mark.parametrize("model", ["tiny", "echo"])
def test_deep_nesting_is_refused(server: Server, model: str, form: str) -> None:
    for depth in (20, 40, 100, 900, 100_000):
        nested = b"[" * depth + b'"a"' + b"]" * depth
        value = nested if model == "tiny" else b'{"in_BYTES": %b}' % nested
        if form == "instances":
            value = b"[%b]" % value
        body = b'{"%b": %b}' % (form.encode(), value)
        refused(call(server.url, "POST", f"/v1/models/{model}:predict", body), 400)


@pytest.mark.parametrize("body", [b"", b"{", b'{"instances": [[NaN, 1, 2, 3]]}', b'{"inputs": "\xff"}'])
def test_what_is_not_json_is_refused(server: Server, body: bytes) -> None:
    refused(call(server.url, "POST", "/v1/models/tiny:predict", body), 400, "JSON")


def test_rows_need_outputs_of_as_many_rows() -> None:
    with pytest.raises(RequestError, match="'inputs'"):
        tfs_rest._encode(True, {"y": np.ones(2), "z": np.ones(3)})
    with pytest.raises(RequestError, match="'inputs'"):
        tfs_rest._encode(True, {"y": np.ones(())})


@pytest.mark.parametrize(
    ("method", "path", "status", "word"),
    [
        ("POST", "other:predict", 404, "other"),
        ("POST", "tiny/versions/7:predict", 404, "7"),
        ("POST", "tiny/versions/:predict", 404, "path"),
        ("POST", "tiny/labels/stable:predict", 404, "label"),
        ("GET", "tiny/labels/stable", 404, "label"),
        ("POST", "tiny:classify", 400, "classify"),
        ("POST", "tiny:regress", 400, "regress"),
        ("GET", "tiny:predict", 405, "POST"),
        ("POST", "tiny", 405, "GET"),
        ("GET", "other", 404, "other"),
        ("GET", "other/metadata", 404, "other"),
        ("GET", "tiny/versions/2", 404, "2"),
        ("GET", "tiny/versions", 404, "path"),
        ("GET", "", 404, "unknown"),
    ],
)
def test_what_there_is_not_is_said(server: Server, method: str, path: str, status: int, word: str) -> None:
    refused(call(server.url, method, f"/v1/models/{path}", b"{}"), status, word)
    refused(call(server.url, "GET", "/v1/models"), 404)


def test_another_signature_is_refused_by_name(server: Server) -> None:
    assert predict(server, "tiny", {"instances": X, "signature_name": ""}).status == 200
    refused(predict(server, "tiny", {"instances": X, "signature_name": "train"}), 400, "train", "serving_default")


def test_status_tells_the_versions(server: Server) -> None:
    ok = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    found = server.get("/v1/models/echo")
    assert found["model_version_status"] == [{"version": v, **ok} for v in ("1", "2")]
    assert (found["name"], found["ready"]) == ("echo", True)  # which KServe's v1 client looks for
    assert server.get("/v2/models") == {"models": ["echo", "tiny"]}  # each once, however many versions it has
    assert server.get("/v1/models/echo/versions/2")["model_version_status"] == [{"version": "2", **ok}]


@pytest.mark.parametrize("path", ["tiny/metadata", "tiny/versions/1/metadata"])
def test_metadata_is_a_signature(server: Server, path: str) -> None:
    found = server.get(f"/v1/models/{path}")
    assert found["model_spec"] == {"name": "tiny", "signature_name": "", "version": "1"}
    (name,) = found["metadata"]["signature_def"]["signature_def"]
    signature = found["metadata"]["signature_def"]["signature_def"][name]
    assert (name, signature["method_name"]) == ("serving_default", "tensorflow/serving/predict")
    dims = [{"size": "-1", "name": ""}, {"size": "4", "name": ""}]
    shape = {"dim": dims, "unknown_rank": False}
    assert signature["inputs"] == {"x": {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": "x"}}


def test_dtypes_have_tensorflows_names(server: Server) -> None:
    found = server.get("/v1/models/echo/metadata")["metadata"]["signature_def"]["signature_def"]["serving_default"]
    dtypes = [tensor["dtype"].removeprefix("DT_") for tensor in found["outputs"].values()]
    numbers = ["BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"]
    assert dtypes == [*numbers, "HALF", "FLOAT", "DOUBLE", "STRING"]
