"""TensorFlow Serving over gRPC: PredictionService and ModelService, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from serving.engines.launch import free_port
from serving.reference.datatypes import NUMPY
from tests.serving import echo, tiny
from tests.serving.conftest import Artifacts, Serve
from tests.serving.grpc_client import Client, connected

MODEL = tiny.name("savedmodel")
LIMIT = 100_000
ARRAYS = {dtype: echo.sample(dtype) for dtype in NUMPY.values()}
PREDICTION = "tensorflow.serving.PredictionService"
INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def client(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Of a server of a model that echoes every datatype."""
    folder = echo.make("savedmodel", tmp_path_factory.mktemp("echo"), tuple(NUMPY.values()))
    port = free_port()
    options = ["--grpc-port", str(port), "--max-body-bytes", str(LIMIT)]
    with serve(folder, "tensorflow", *options), connected(port) as found:
        yield found


def begin(client: Client, method: str, request: Any, service: str = PREDICTION) -> Any:
    """A call of any method, with any request."""
    from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

    responses = {
        "Predict": predict_pb2.PredictResponse,
        "GetModelMetadata": get_model_metadata_pb2.GetModelMetadataResponse,
        "GetModelStatus": get_model_status_pb2.GetModelStatusResponse,
    }
    parse = responses[method].FromString if method in responses else None
    raw = request if isinstance(request, bytes) else request.SerializeToString()
    ask: Any = client.channel.unary_unary(f"/{service}/{method}", None, parse)
    return ask.future(raw, 30)


def request(arrays: dict[str, Array], typed: bool = False) -> Any:
    """A request of the echo, with the tensors' bytes or, typed, with their values."""
    import tensorflow as tf
    from tensorflow.core.framework.tensor_pb2 import TensorProto
    from tensorflow_serving.apis import predict_pb2

    made = predict_pb2.PredictRequest(model_spec={"name": MODEL})
    for dtype, array in arrays.items():
        proto = tf.make_tensor_proto(array)
        if typed and dtype != "object":
            proto = TensorProto(dtype=proto.dtype, tensor_shape=proto.tensor_shape)
            field = {"float32": "float_val", "float64": "double_val", "float16": "half_val"}.get(dtype)
            narrow = dtype in ("int8", "int16", "int32", "uint8", "uint16")
            values = array.view(np.uint16) if dtype == "float16" else array
            getattr(proto, field or ("int_val" if narrow else f"{dtype}_val")).extend(values.tolist())
        made.inputs[f"in_{dtype}"].CopyFrom(proto)
    return made


def refused(begun: Any, code: grpc.StatusCode, *words: str) -> None:
    error = begun.exception()
    assert isinstance(error, grpc.RpcError)
    assert error.code() is code, (error.code(), error.details())
    for word in words:
        assert word in (error.details() or "")


@pytest.mark.parametrize("typed", [False, True])
def test_every_datatype_survives(client: Client, typed: bool) -> None:
    import tensorflow as tf

    response = begin(client, "Predict", request(ARRAYS, typed)).result()
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == (MODEL, 1, "serving_default")
    assert response.outputs.keys() == {f"out_{dtype}" for dtype in ARRAYS}
    for dtype, array in ARRAYS.items():
        found = tf.make_ndarray(response.outputs[f"out_{dtype}"])
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


def test_the_last_value_stands_for_those_that_are_missing(client: Client) -> None:
    import tensorflow as tf
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    sent = request(ARRAYS)
    sent.inputs["in_float32"].CopyFrom(TensorProto(dtype=1, tensor_shape={"dim": [{"size": 3}]}, float_val=[1, 2]))
    response = begin(client, "Predict", sent).result()
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["out_float32"]), [1, 2, 2])


def test_outputs_are_filtered(client: Client) -> None:
    sent = request(ARRAYS)
    sent.output_filter.extend(["out_int8", "out_object"])
    assert begin(client, "Predict", sent).result().outputs.keys() == {"out_int8", "out_object"}


@pytest.mark.parametrize("signature", ["", "serving_default"])
@pytest.mark.parametrize("version", [None, 1])
def test_signature_and_version_may_be_named(client: Client, signature: str, version: int | None) -> None:
    sent = request(ARRAYS)
    sent.model_spec.signature_name = signature
    if version is not None:
        sent.model_spec.version.value = version
    assert begin(client, "Predict", sent).result().model_spec.version.value == 1


def tensor(**fields: Any) -> Callable[[Any], Any]:
    """Replaces the input of float32."""

    def change(sent: Any) -> None:
        sent.inputs["in_float32"].Clear()
        for name, value in fields.items():
            if name == "sizes":
                for size in value:
                    sent.inputs["in_float32"].tensor_shape.dim.add(size=size)
            elif isinstance(value, list):
                getattr(sent.inputs["in_float32"], name).extend(value)
            else:
                setattr(sent.inputs["in_float32"], name, value)

    return change


def integers(name: str, values: list[int]) -> Callable[[Any], Any]:
    """Puts values into the input of an integer type, which is narrower than its field."""

    def change(sent: Any) -> None:
        sent.inputs[name].tensor_content = b""
        sent.inputs[name].int_val.extend(values)

    return change


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda r: r.model_spec.Clear(), INVALID, ["names no model"]),
        (lambda r: setattr(r.model_spec, "name", "other"), NOT_FOUND, ["other", MODEL]),
        (lambda r: setattr(r.model_spec.version, "value", 7), NOT_FOUND, ["'7'", "served: 1"]),
        (lambda r: setattr(r.model_spec.version, "value", -1), NOT_FOUND, ["'-1'"]),
        (lambda r: setattr(r.model_spec, "version_label", "stable"), INVALID, ["stable"]),
        (
            lambda r: setattr(r.model_spec, "signature_name", "train"),
            grpc.StatusCode.FAILED_PRECONDITION,
            ["train", "serving_default"],
        ),
        (lambda r: r.output_filter.append("out_other"), INVALID, ["out_other"]),
        (lambda r: r.inputs.pop("in_int8"), INVALID, ["in_int8", "missing"]),
        (lambda r: r.inputs["in_other"].CopyFrom(r.inputs["in_int8"]), INVALID, ["unknown input 'in_other'"]),
        (tensor(dtype=14, sizes=[3]), INVALID, ["in_float32", "dtype 14"]),
        (tensor(dtype=2, sizes=[3]), INVALID, ["in_float32", "expected datatype FP32, found FP64"]),
        (tensor(dtype=1, sizes=[3], tensor_content=b"\0" * 11), INVALID, ["in_float32", "divisible"]),
        (tensor(dtype=1, sizes=[4], tensor_content=b"\0" * 12), INVALID, ["in_float32", "4 values, got 3"]),
        (tensor(dtype=1, sizes=[-1], tensor_content=b"\0" * 12), INVALID, ["in_float32"]),
        (tensor(dtype=1, sizes=[2**62] * 400, tensor_content=b"\0" * 12), INVALID, ["in_float32", "400 axes"]),
        (tensor(dtype=1, sizes=[2**62] * 400, float_val=[1.0]), INVALID, ["in_float32", "400 axes"]),
        (tensor(dtype=1, sizes=[-1], float_val=[1.0]), INVALID, ["in_float32", "shape"]),
        (tensor(dtype=1, sizes=[2], float_val=[1.0, 2.0, 3.0]), INVALID, ["in_float32", "do not fit"]),
        (tensor(dtype=7, sizes=[3], tensor_content=b"\0" * 24), INVALID, ["in_float32"]),
        (tensor(dtype=1, sizes=[0, 2**62, 2**62]), INVALID, ["in_float32"]),
        (tensor(dtype=1, sizes=[2**40], float_val=[1.0]), grpc.StatusCode.RESOURCE_EXHAUSTED, ["in_float32"]),
        (integers("in_int8", [1, 2, 128]), INVALID, ["in_int8"]),
        (integers("in_uint8", [1, 2, -1]), INVALID, ["in_uint8"]),
        (lambda r: setattr(r.inputs["in_bool"], "tensor_content", b"\0\1\2"), INVALID, ["in_bool", "neither 0 nor 1"]),
    ],
)
def test_a_bad_request_is_refused_by_name(
    client: Client, change: Callable[[Any], Any], code: grpc.StatusCode, words: list[str]
) -> None:
    sent = request(ARRAYS)
    change(sent)
    refused(begin(client, "Predict", sent), code, *words)


def test_metadata_is_the_signature(client: Client) -> None:
    from tensorflow_serving.apis import get_model_metadata_pb2

    asked = get_model_metadata_pb2.GetModelMetadataRequest(model_spec={"name": MODEL}, metadata_field=["signature_def"])
    response = begin(client, "GetModelMetadata", asked).result()
    assert (response.model_spec.name, response.model_spec.version.value) == (MODEL, 1)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    signature = found.signature_def["serving_default"]
    assert signature.method_name == "tensorflow/serving/predict"
    assert signature.inputs["in_float32"].dtype == 1
    assert [dim.size for dim in signature.outputs["out_object"].tensor_shape.dim] == [-1]
    for fields in ([], ["other"]):
        del asked.metadata_field[:]
        asked.metadata_field.extend(fields)
        refused(begin(client, "GetModelMetadata", asked), INVALID, "signature_def")


def test_status_is_that_of_every_version(client: Client) -> None:
    from tensorflow_serving.apis import get_model_status_pb2

    asked = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": MODEL})
    (found,) = begin(client, "GetModelStatus", asked, "tensorflow.serving.ModelService").result().model_version_status
    assert (found.version, found.state, found.status.error_code) == (1, 30, 0)
    asked.model_spec.version.value = 7
    refused(begin(client, "GetModelStatus", asked, "tensorflow.serving.ModelService"), NOT_FOUND, "'7'")


def test_the_other_methods_are_unimplemented(client: Client) -> None:
    methods = [(PREDICTION, name) for name in ("Classify", "Regress", "MultiInference")]
    for service, method in (*methods, ("tensorflow.serving.ModelService", "HandleReloadConfigRequest")):
        refused(begin(client, method, b"", service), grpc.StatusCode.UNIMPLEMENTED)
    refused(begin(client, "Predict", b"\xff"), INVALID, "PredictRequest")


def test_other_runtimes_do_not_load_tensorflow_for_it(artifacts: Artifacts, serve: Serve) -> None:
    port = free_port()
    with serve(artifacts("onnx"), "onnxruntime", "--grpc-port", str(port)), connected(port) as client:
        refused(begin(client, "Predict", b""), grpc.StatusCode.UNIMPLEMENTED)
