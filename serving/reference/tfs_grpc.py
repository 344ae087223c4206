"""TensorFlow Serving over gRPC, on the messages of tensorflow-serving-api, which the TensorFlow image has.

https://github.com/tensorflow/serving/tree/master/tensorflow_serving/apis. Classify, Regress, MultiInference and the
reload of a configuration are UNIMPLEMENTED. Copies of tensor bytes: as with the Open Inference Protocol.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.json_format import ParseDict
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_pb2,
    model_service_pb2,
    predict_pb2,
    prediction_service_pb2,
)

from serving.reference import apart, tfs_rest
from serving.reference.datatypes import NUMPY, Array, check_rank, from_bytes, shaped, to_bytes
from serving.reference.errors import RequestError
from serving.reference.grpc_server import Context, Document, GrpcServer, timeout_s
from serving.reference.model import Model
from serving.reference.repository import Repository
from serving.reference.tfs_rest import SIGNATURE

_DTYPE = {tf.as_dtype(np.dtype(name)).as_datatype_enum: np.dtype(name) for name in NUMPY.values()}
"""NumPy's dtype by TensorFlow's number of it; DT_STRING are object arrays of `bytes`."""

_ENUM = {dtype.name: enum for enum, dtype in _DTYPE.items()}


def add(server: GrpcServer, repository: Repository, body_bytes: int) -> None:
    """`body_bytes` is the most that a tensor may take, of which a request need not hold all values."""
    methods = _Methods(repository, body_bytes)
    for file, service in (prediction_service_pb2, "PredictionService"), (model_service_pb2, "ModelService"):
        server.add(f"tensorflow.serving.{service}", file.DESCRIPTOR.services_by_name[service], methods)


class _Methods:
    def __init__(self, repository: Repository, body_bytes: int) -> None:
        self._repository = repository
        self._body_bytes = body_bytes

    async def Predict(self, request: Any, context: Context) -> Any:
        self._model(request.model_spec)  # an unknown one is told before the inputs are read
        if request.model_spec.signature_name not in ("", SIGNATURE):
            name = request.model_spec.signature_name
            raise RequestError(412, f"unknown signature {name!r}; known: {SIGNATURE}")
        read = partial(_arrays, request, self._body_bytes)
        raw = all(tensor.tensor_content for tensor in request.inputs.values())
        inputs = read() if raw or request.ByteSize() <= apart.LONG_BYTES else await apart.read(read)
        model = self._model(request.model_spec)  # not before: another may have taken its place
        wanted = dict.fromkeys(request.output_filter) or None
        outputs = await model.submit(inputs, wanted, timeout_s(context))
        response = predict_pb2.PredictResponse()
        response.model_spec.CopyFrom(_spec(model, SIGNATURE))
        for name in wanted or outputs:
            _fill(response.outputs[name], outputs[name])
        return response

    async def GetModelMetadata(self, request: Any, context: Context) -> Any:
        model = self._model(request.model_spec)
        if list(request.metadata_field) != ["signature_def"]:
            found = ", ".join(request.metadata_field) or "nothing"
            raise RequestError(400, f"'metadata_field' must be 'signature_def', found {found}")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.CopyFrom(_spec(model))
        signatures = tfs_rest.metadata(model)["metadata"]["signature_def"]
        response.metadata["signature_def"].Pack(ParseDict(signatures, get_model_metadata_pb2.SignatureDefMap()))
        return response

    async def GetModelStatus(self, request: Any, context: Context) -> Document:
        spec = request.model_spec
        model = self._model(spec)
        models = [model] if spec.HasField("version") else self._repository.versions(spec.name)
        return tfs_rest.status(models)

    def _model(self, spec: Any) -> Model:
        if not spec.name:
            raise RequestError(400, "'model_spec' names no model")
        if spec.version_label:
            raise RequestError(400, f"unknown version label {spec.version_label!r}: versions have numbers only")
        return self._repository.model(spec.name, str(spec.version.value) if spec.HasField("version") else "")


def _spec(model: Model, signature: str = "") -> Any:
    return model_pb2.ModelSpec(name=model.name, version={"value": int(model.version)}, signature_name=signature)


def _arrays(request: Any, most_bytes: int) -> dict[str, Array]:
    return {name: _array(name, tensor, most_bytes) for name, tensor in request.inputs.items()}


def _array(name: str, tensor: Any, most_bytes: int) -> Array:
    """The tensor as an array: its bytes, or its values, of which the last stands for all that are missing."""
    dtype = _DTYPE.get(tensor.dtype)
    if dtype is None:
        raise RequestError(
            400, f"input {name!r}: unsupported dtype {tensor.dtype}; known: {', '.join(map(str, _DTYPE))}"
        )
    check_rank(name, len(tensor.tensor_shape.dim))
    shape = tuple([dim.size for dim in tensor.tensor_shape.dim])
    if tensor.tensor_content and dtype.kind != "O":
        return shaped(name, from_bytes(name, memoryview(tensor.tensor_content), dtype), shape)
    if tensor.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise RequestError(400, f"input {name!r}: its shape is not known")
    if math.prod(shape) * dtype.itemsize > most_bytes:
        raise RequestError(413, f"input {name!r}: shape {list(shape)} is larger than {most_bytes} bytes")
    try:
        array: Array = tf.make_ndarray(tensor)
    except (ValueError, TypeError, OverflowError) as exc:
        raise RequestError(400, f"input {name!r}: its values do not fit: {exc}") from exc
    return array


def _fill(tensor: Any, array: Array) -> None:
    tensor.dtype = _ENUM[array.dtype.name]
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    if array.dtype.kind == "O":
        tensor.string_val.extend(array.reshape(-1))
    else:
        tensor.tensor_content = bytes(to_bytes(array))
