"""The reference server over gRPC: Open Inference Protocol v2, and what it refuses."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.descriptor import FieldDescriptor

from serving.engines.launch import free_port
from serving.reference.datatypes import NUMPY, WIRE, to_bytes
from serving.reference.protos import oip_pb2 as oip
from tests.serving import echo, running, slow, tiny
from tests.serving.client import call
from tests.serving.conftest import ROOT, Artifacts, Serve, start_reference
from tests.serving.grpc_client import Client, connected, outputs, request

MODEL = tiny.name("onnx")
LIMIT = 200_000
ARRAYS = {f"in_{dtype}": echo.sample(dtype) for dtype in NUMPY.values()}
X = np.arange(4, dtype=np.float32).reshape(1, 4)
TYPED = {
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    **{wire: f"{wire.lower()}_contents" for wire in ("BOOL", "INT64", "UINT64", "FP32", "FP64", "BYTES")},
}

Change = Callable[[oip.ModelInferRequest], Any]


@pytest.fixture(scope="module")
def client(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Of a server of a model that echoes every datatype."""
    folder = echo.make("onnx", tmp_path_factory.mktemp("echo"), tuple(NUMPY.values()))
    port = free_port()
    options = ["--grpc-port", str(port), "--max-body-bytes", str(LIMIT)]
    with serve(folder, "onnxruntime", *options), connected(port) as found:
        yield found


@pytest.fixture(scope="module")
def slow_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one model, which takes a fifth of a second."""
    folder = tmp_path_factory.mktemp("models")
    slow.make(folder / "slow" / "1", 2000)
    return folder


def typed(arrays: dict[str, np.ndarray[Any, Any]]) -> oip.ModelInferRequest:
    """A request with the values in the typed contents."""
    made = oip.ModelInferRequest(model_name=MODEL)
    for name, array in arrays.items():
        wire = WIRE[array.dtype.name]
        tensor = made.inputs.add(name=name, datatype=wire, shape=array.shape)
        getattr(tensor.contents, TYPED[wire]).extend(array.ravel().tolist())
    return made


def refused(begun: Any, code: grpc.StatusCode, *words: str) -> None:
    """The call fails with that code, and one line that names what is wrong."""
    error = begun.exception()
    assert isinstance(error, grpc.RpcError)
    assert error.code() is code, (error.code(), error.details())
    details = error.details() or ""
    for word in words:
        assert word in details, details
    assert "\n" not in details


def ended(process: subprocess.Popen[str]) -> int:
    """The exit status after SIGTERM."""
    process.terminate()
    try:
        process.communicate(timeout=20)
    finally:
        process.kill()
    return process.returncode


def test_documents_are_those_of_http(client: Client) -> None:
    assert client.call("ServerLive").live
    assert client.call("ServerReady").ready
    assert "statistics" in client.call("ServerMetadata").extensions
    assert client.call("ModelReady", name=MODEL).ready
    assert client.call("ModelReady", name=MODEL, version="1").ready
    metadata = client.call("ModelMetadata", name=MODEL)
    assert (metadata.name, metadata.versions, metadata.platform) == (MODEL, ["1"], "onnxruntime_onnx")
    assert ("in_float32", "FP32", [-1]) in [(i.name, i.datatype, i.shape) for i in metadata.inputs]
    config = client.call("ModelConfig", name=MODEL).config
    assert (config.name, config.backend, config.version_policy.latest.num_versions) == (MODEL, "onnxruntime", 1)
    assert oip.TYPE_STRING in [tensor.data_type for tensor in config.input]
    assert config.dynamic_batching.default_queue_policy.max_queue_size > 0


def test_statistics_count_what_was_asked(client: Client) -> None:
    def count(**named: Any) -> int:
        (found,) = client.call("ModelStatistics", **named).model_stats
        assert (found.name, found.version) == (MODEL, "1")
        return int(found.inference_stats.success.count)

    before = count()
    client.infer(request(MODEL, ARRAYS))
    assert count() == count(name=MODEL) == count(name=MODEL, version="1") == before + 1


def test_every_datatype_survives_raw(client: Client) -> None:
    sent = request(MODEL, ARRAYS)
    sent.id = "request 7"
    response = client.infer(sent)
    assert (response.id, response.model_name, response.model_version) == ("request 7", MODEL, "1")
    assert outputs(response) == {f"out_{name[3:]}": bytes(to_bytes(array)) for name, array in ARRAYS.items()}
    assert [(o.datatype, list(o.shape)) for o in response.outputs] == [(wire, [3]) for wire in NUMPY]


def test_every_datatype_but_fp16_survives_typed(serve: Serve, tmp_path: Path) -> None:
    arrays = {name: array for name, array in ARRAYS.items() if array.dtype != np.float16}
    arrays["in_float32"][1] = np.nan  # which JSON has not
    folder = echo.make("onnx", tmp_path, [array.dtype.name for array in arrays.values()])
    port = free_port()
    with serve(folder, "onnxruntime", "--grpc-port", str(port)), connected(port) as client:
        response = client.infer(typed(arrays))
    assert outputs(response) == {f"out_{name[3:]}": bytes(to_bytes(array)) for name, array in arrays.items()}


def test_outputs_are_chosen_by_name(client: Client) -> None:
    sent = request(MODEL, ARRAYS)
    for name in ("out_int8", "out_float64", "out_int8"):
        sent.outputs.add(name=name)
    assert [output.name for output in client.infer(sent).outputs] == ["out_int8", "out_float64"]


def one(name: str, values: list[Any], datatype: str, field: str) -> Change:
    """Changes the request so that its only input has these typed values."""

    def change(sent: oip.ModelInferRequest) -> None:
        del sent.raw_input_contents[:]
        del sent.inputs[:]
        tensor = sent.inputs.add(name=name, datatype=datatype, shape=[len(values)])
        getattr(tensor.contents, field).extend(values)

    return change


def shape(*sizes: int) -> Change:
    """Changes the shape of the first input, which is BOOL."""

    def change(sent: oip.ModelInferRequest) -> None:
        sent.inputs[0].shape[:] = sizes

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r.raw_input_contents.pop(), ["12", "13"]),
        (lambda r: r.raw_input_contents.append(b""), ["14", "13"]),
        (lambda r: r.inputs.pop() and r.raw_input_contents.pop(), ["in_object", "missing"]),
        (lambda r: r.inputs.add().CopyFrom(r.inputs[0]) or r.raw_input_contents.append(b""), ["twice"]),
        (lambda r: r.inputs[0].contents.bool_contents.append(True), ["in_bool", "both"]),
        (lambda r: r.inputs[0].contents.SetInParent(), ["in_bool", "both"]),
        (lambda r: setattr(r.inputs[0], "name", "in_other"), ["unknown input 'in_other'"]),
        (shape(*[2**62] * 4_000), ["in_bool", "4000 axes"]),
        (lambda r: setattr(r.inputs[0], "datatype", "BF16"), ["BF16", "FP16"]),
        (lambda r: setattr(r.inputs[0], "datatype", "INT8"), ["in_bool", "expected datatype BOOL"]),
        (lambda r: r.raw_input_contents.__setitem__(0, b"\2\0\1"), ["in_bool", "neither 0 nor 1"]),
        (lambda r: r.raw_input_contents.__setitem__(2, b"\0\1\2\3\4"), ["in_int16", "divisible"]),
        (lambda r: r.raw_input_contents.__setitem__(12, b"\7\0\0\0abc"), ["in_object", "ends after"]),
        (lambda r: r.outputs.add(name="out_other"), ["unknown output 'out_other'"]),
        (lambda r: r.outputs.add(name="out_bool").parameters["classification"].SetInParent(), ["classification"]),
        (lambda r: r.inputs[0].parameters["shared_memory_region"].SetInParent(), ["shared_memory_region"]),
        (lambda r: setattr(r.parameters["timeout"], "int64_param", -1), ["timeout", "-1"]),
        (lambda r: setattr(r.parameters["timeout"], "string_param", "1"), ["timeout", "'1'"]),
        (lambda r: setattr(r.parameters["timeout"], "bool_param", True), ["timeout", "True"]),
        (lambda r: r.parameters["timeout"].SetInParent(), ["timeout", "None"]),
        (shape(4), ["in_bool", "4", "3"]),
        (shape(3, 1), ["in_bool", "expected shape [n]"]),
        (shape(-3, -1), ["in_bool"]),
        (shape(*[1] * 70, 3), ["in_bool"]),
        (shape(2**62, 2**62), ["in_bool"]),
        (one("in_int8", [1, 128, 3], "INT8", "int_contents"), ["in_int8", "range of INT8"]),
        (one("in_int16", [-32769], "INT16", "int_contents"), ["in_int16", "range of INT16"]),
        (one("in_uint8", [256], "UINT8", "uint_contents"), ["in_uint8", "range of UINT8"]),
        (one("in_uint16", [65536], "UINT16", "uint_contents"), ["in_uint16", "range of UINT16"]),
        (one("in_float16", [1.0], "FP16", "fp32_contents"), ["in_float16", "raw_input_contents"]),
        (one("in_int64", [1], "INT64", "int_contents"), ["in_int64", "int64_contents", "int_contents"]),
    ],
)
def test_a_bad_request_is_refused_by_name(client: Client, change: Change, words: list[str]) -> None:
    sent = request(MODEL, ARRAYS)
    change(sent)
    refused(client.begin(sent), grpc.StatusCode.INVALID_ARGUMENT, *words)


def test_typed_values_may_be_none_only_where_the_shape_says_so(client: Client) -> None:
    sent = oip.ModelInferRequest(model_name=MODEL)
    sent.inputs.add(name="in_float32", datatype="FP32", shape=[3])
    refused(client.begin(sent), grpc.StatusCode.INVALID_ARGUMENT, "asks for 3 values, got 0")


def test_unknown_models_and_versions_are_not_found(client: Client) -> None:
    for method in ("ModelMetadata", "ModelConfig", "ModelStatistics"):
        for name, version, word in (("other", "", MODEL), (MODEL, "7", "served: 1")):
            with pytest.raises(grpc.RpcError, match=word) as failure:
                client.call(method, name=name, version=version)
            assert failure.value.code() is grpc.StatusCode.NOT_FOUND
    refused(client.begin(request("other", ARRAYS)), grpc.StatusCode.NOT_FOUND, "other", MODEL)
    assert not client.call("ModelReady", name="other").ready
    assert not client.call("ModelReady", name=MODEL, version="7").ready


def test_bytes_that_are_no_message_and_methods_that_are_none(client: Client) -> None:
    refused(client.send("ModelInfer", b"\xff" * 9), grpc.StatusCode.INVALID_ARGUMENT, "ModelInferRequest")
    # Text on the wire is UTF-8: a model's name that is none is no message either.
    refused(client.send("ModelInfer", b"\x0a\x01\xff"), grpc.StatusCode.INVALID_ARGUMENT)
    refused(client.send("ModelStreamInfer", b""), grpc.StatusCode.UNIMPLEMENTED)


def test_a_reason_is_cut_before_it_is_too_long_for_a_header(client: Client) -> None:
    refused(client.begin(request("ü" * 50_000, {})), grpc.StatusCode.NOT_FOUND, "unknown model 'üüü")


def test_a_message_that_is_too_large_is_refused(client: Client) -> None:
    sent = request(MODEL, {"in_int8": np.zeros(LIMIT, np.int8)})
    refused(client.begin(sent), grpc.StatusCode.RESOURCE_EXHAUSTED, str(LIMIT))


def test_calls_over_the_limit_of_connections_are_refused(slow_models: Path) -> None:
    port = free_port()
    with running.running(slow_models, "--grpc-port", str(port), "--max-connections", "3"), connected(port) as client:
        codes = [call.code() for call in [client.begin(request("slow", {"x": X})) for _ in range(5)]]
        assert sorted(code.name for code in codes) == ["OK"] * 3 + ["RESOURCE_EXHAUSTED"] * 2


def test_requests_over_the_limit_of_the_queue_are_refused(slow_models: Path) -> None:
    port = free_port()
    with running.running(slow_models, "--grpc-port", str(port), "--max-queue-size", "1"), connected(port) as client:
        begun = [client.begin(request("slow", {"x": X})) for _ in range(6)]
        codes = [call.code() for call in begun]
        assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        refused(begun[codes.index(grpc.StatusCode.RESOURCE_EXHAUSTED)], grpc.StatusCode.RESOURCE_EXHAUSTED, "wait")


def test_work_whose_deadline_passed_or_whose_client_left_is_dropped(slow_models: Path) -> None:
    port = free_port()
    with running.running(slow_models, "--grpc-port", str(port)) as server, connected(port) as client:
        timed = request("slow", {"x": X})
        timed.parameters["timeout"].int64_param = 20_000
        first = client.begin(request("slow", {"x": X}))
        time.sleep(0.01)  # it takes about 110 ms: all that comes after it must wait, and be gone before it ends
        begun = time.perf_counter()
        refused(client.begin(timed), grpc.StatusCode.DEADLINE_EXCEEDED, "deadline of 20 ms")
        refused(client.begin(request("slow", {"x": X}), 0.02), grpc.StatusCode.DEADLINE_EXCEEDED)
        assert time.perf_counter() - begun < 0.15
        gone = client.begin(request("slow", {"x": X}))
        time.sleep(0.01)
        gone.cancel()
        first.result()
        client.infer(request("slow", {"x": X}))
        (found,) = client.call("ModelStatistics", name="slow").model_stats
        assert found.execution_count == 2
        assert server.metric("requests_refused_total") == 3


def test_models_are_loaded_and_unloaded(artifacts: Artifacts, tmp_path: Path) -> None:
    running.add(artifacts("onnx"), tmp_path, "a")
    port = free_port()
    with running.running(tmp_path, "--grpc-port", str(port)), connected(port) as client:
        running.add(artifacts("onnx"), tmp_path, "b")
        index = client.call("RepositoryIndex").models
        assert [(m.name, m.version, m.state) for m in index] == [("a", "1", "READY"), ("b", "", "UNAVAILABLE")]
        assert [m.name for m in client.call("RepositoryIndex", ready=True).models] == ["a"]
        assert not client.call("ModelReady", name="b").ready
        refused(client.begin(request("b", {"x": X})), grpc.StatusCode.UNAVAILABLE, "'b' is not loaded")

        parameters = {"config": oip.ModelRepositoryParameter(string_param=json.dumps({"max_batch_size": 8}))}
        client.call("RepositoryModelLoad", model_name="b", parameters=parameters)
        assert client.call("ModelConfig", name="b").config.max_batch_size == 8
        raw = outputs(client.infer(request("b", {"x": X})))["y"]
        np.testing.assert_allclose(np.frombuffer(raw, np.float32), 2 * X[0] + 1)

        client.call("RepositoryModelUnload", model_name="a")
        assert not client.call("ModelReady", name="a").ready
        for method in ("RepositoryModelLoad", "RepositoryModelUnload"):
            with pytest.raises(grpc.RpcError, match="unknown model 'c'") as failure:
                client.call(method, model_name="c")
            assert failure.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("config", {"string_param": "{"}, "not JSON"),
        ("config", {"string_param": '{"batch": 1}'}, "unknown key 'batch'"),
        ("config", {"bool_param": True}, "must be a string"),
        ("file:1/model.onnx", {"bytes_param": b"model"}, "'file:' is not supported"),
    ],
)
def test_a_load_with_bad_parameters_is_refused(client: Client, name: str, value: dict[str, Any], word: str) -> None:
    parameters = {name: oip.ModelRepositoryParameter(**value)}
    with pytest.raises(grpc.RpcError, match=word) as failure:
        client.call("RepositoryModelLoad", model_name=MODEL, parameters=parameters)
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_changes_can_be_forbidden(artifacts: Artifacts, serve: Serve) -> None:
    port = free_port()
    options = ["--grpc-port", str(port), "--model-control", "none"]
    with serve(artifacts("onnx"), "onnxruntime", *options), connected(port) as client:
        with pytest.raises(grpc.RpcError, match="--model-control none") as failure:
            client.call("RepositoryModelUnload", model_name=MODEL)
        assert failure.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_requests_in_flight_are_answered_before_it_ends(slow_models: Path) -> None:
    port = free_port()
    process = start_reference(slow_models / "slow" / "1", "onnxruntime", free_port(), "--grpc-port", str(port))
    with connected(port) as client:
        begun = [client.begin(request(MODEL, {"x": X})) for _ in range(4)]
        time.sleep(0.05)
        assert ended(process) == 0
        assert [call.code() for call in begun] == [grpc.StatusCode.OK] * 4
        refused(client.begin(request(MODEL, {"x": X})), grpc.StatusCode.UNAVAILABLE)


def test_no_request_is_lost_when_it_ends_under_load(artifacts: Artifacts) -> None:
    port = free_port()
    process = start_reference(artifacts("onnx"), "onnxruntime", free_port(), "--grpc-port", str(port))
    lost: list[grpc.StatusCode] = []

    def ask() -> None:
        with connected(port) as client:
            while (code := client.begin(request(MODEL, {"x": X})).code()) is grpc.StatusCode.OK:
                pass
            lost.append(code)

    clients = [threading.Thread(target=ask) for _ in range(8)]
    for client in clients:
        client.start()
    time.sleep(3)
    assert ended(process) == 0
    for client in clients:
        client.join()
    # A call that was not taken, which its client may send elsewhere; one lost halfway would be CANCELLED.
    assert set(lost) == {grpc.StatusCode.UNAVAILABLE}


def test_it_ends_with_status_1_where_requests_take_longer_than_the_drain(slow_models: Path) -> None:
    port = free_port()
    options = ["--grpc-port", str(port), "--drain-s", "0.3"]
    process = start_reference(slow_models / "slow" / "1", "onnxruntime", free_port(), *options)
    with connected(port) as client:
        begun = [client.begin(request(MODEL, {"x": X})) for _ in range(8)]
        time.sleep(0.05)
        assert ended(process) == 1
        assert begun[-1].code() in {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}


def test_a_taken_port_is_said_in_one_line(artifacts: Artifacts) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start_reference(artifacts("onnx"), "onnxruntime", free_port(), "--grpc-port", str(port))
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert len(stderr.splitlines()) == 1
    assert f"127.0.0.1:{port}: Address already in use" in stderr


def test_what_is_not_grpc_is_cut_off_without_a_word(artifacts: Artifacts, tmp_path: Path) -> None:
    running.add(artifacts("onnx"), tmp_path, "tiny")
    port = free_port()
    with running.running(tmp_path, "--grpc-port", str(port)) as server, connected(port) as client:
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 99):
            with socket.create_connection(("127.0.0.1", port), 10) as connection:
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
        assert client.call("ServerLive").live
        assert [json.loads(line)["event"] for line in server.log.read_text().splitlines()] == ["loaded", "ready"]


def test_every_request_is_in_the_access_log(artifacts: Artifacts, tmp_path: Path) -> None:
    running.add(artifacts("onnx"), tmp_path, "tiny")
    port = free_port()
    options = ["--grpc-port", str(port), "--access-log"]
    with running.running(tmp_path, *options) as server, connected(port) as client:
        client.call("ServerLive")
        refused(client.send("ModelConfig", b""), grpc.StatusCode.NOT_FOUND)
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    found = [(line["path"], line["status"]) for line in lines if line.get("method") == "gRPC"]
    service = "/inference.GRPCInferenceService"
    assert found == [(f"{service}/ServerLive", "OK"), (f"{service}/ModelConfig", "NOT_FOUND")]


def test_http_alone_does_not_load_grpc(artifacts: Artifacts, serve: Serve) -> None:
    with serve(artifacts("onnx"), "onnxruntime") as url:
        assert call(url, "GET", "/v2").status == 200
        pid = subprocess.check_output(["pgrep", "-f", f"serving.reference.*{url.rpartition(':')[2]}"], text=True)
        assert "cygrpc" not in Path(f"/proc/{pid.split()[0]}/maps").read_text()


def test_the_generated_messages_are_up_to_date(tmp_path: Path) -> None:
    source = "serving/reference/protos/oip.proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", "--proto_path=.", f"--python_out={tmp_path}"]
    subprocess.run([*command, f"--pyi_out={tmp_path}", source], cwd=ROOT, check=True)
    for name in ("oip_pb2.py", "oip_pb2.pyi"):
        path = Path(source).with_name(name)
        assert (ROOT / path).read_text() == (tmp_path / path).read_text(), "make protos"


def test_names_of_messages_leave_room_for_those_of_other_clients() -> None:
    assert oip.DESCRIPTOR.package != "inference"
    assert oip.ModelInferRequest.DESCRIPTOR.fields_by_name["raw_input_contents"].type == FieldDescriptor.TYPE_BYTES
