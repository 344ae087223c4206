"""TensorFlow Serving's gRPC API on the stubs of tensorflow-serving-api: `python -m tests.serving.clients.tfs_grpc`.

The stubs need TensorFlow itself, so this one runs in the host's own environment.
"""

from __future__ import annotations

from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving.clients.driver import Array, Case, main, raising, same

TIMEOUT_S = 30
INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT.name, grpc.StatusCode.NOT_FOUND.name


def request(case: Case, x: Array, version: int | None = None, **named: Any) -> Any:
    found = predict_pb2.PredictRequest(inputs={"x": tf.make_tensor_proto(x)}, **named)
    found.model_spec.name = case.model
    if version is not None:
        found.model_spec.version.value = version
    return found


def refusal(status: str, *words: str) -> Any:
    return raising(grpc.RpcError, status, *words)


async def predictions(case: Case) -> None:
    with grpc.insecure_channel(case.grpc) as channel:
        predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        for rows in (1, 3):
            x = case.x(rows)
            listed = request(case, x)
            listed.inputs["x"].tensor_content = b""
            listed.inputs["x"].float_val.extend(x.ravel())
            for asked in (
                request(case, x),
                request(case, x, version=1),
                request(case, x, output_filter=["y"]),
                listed,
            ):
                answer = predict(asked, timeout=TIMEOUT_S)
                spec = answer.model_spec
                assert (spec.name, spec.version.value, spec.signature_name) == (case.model, 1, "serving_default")
                assert list(answer.outputs) == ["y"]
                same(tf.make_ndarray(answer.outputs["y"]), 2 * x + 1)


async def bad_requests(case: Case) -> None:
    x = case.x(1)
    with grpc.insecure_channel(case.grpc) as channel:
        predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        for asked, status in (
            (request(case, x[0]), INVALID),
            (request(case, x.astype("int32")), INVALID),
            (request(case, x, output_filter=["z"]), INVALID),
            (predict_pb2.PredictRequest(model_spec={"name": case.model}), INVALID),
            (request(case, x, version=2), NOT_FOUND),
            (predict_pb2.PredictRequest(model_spec={"name": "other"}), NOT_FOUND),
        ):
            with refusal(status):
                predict(asked, timeout=TIMEOUT_S)


async def metadata(case: Case) -> None:
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = case.model
    with grpc.insecure_channel(case.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        answer = stub.GetModelMetadata(asked, timeout=TIMEOUT_S)
    assert (answer.model_spec.name, answer.model_spec.version.value) == (case.model, 1)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    signature = signatures.signature_def["serving_default"]
    for tensor in (signature.inputs["x"], signature.outputs["y"]):
        assert tf.as_dtype(tensor.dtype) == tf.float32
        assert tf.TensorShape(tensor.tensor_shape).as_list() == [None, 4]


async def status(case: Case) -> None:
    asked = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": case.model})
    with grpc.insecure_channel(case.grpc) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        (found,) = stub.GetModelStatus(asked, timeout=TIMEOUT_S).model_version_status
        assert (found.version, found.state) == (1, get_model_status_pb2.ModelVersionStatus.AVAILABLE)
        asked.model_spec.name = "other"
        with refusal(NOT_FOUND, "other"):
            stub.GetModelStatus(asked, timeout=TIMEOUT_S)


if __name__ == "__main__":
    main({"tiny": [predictions, bad_requests, metadata, status]})
