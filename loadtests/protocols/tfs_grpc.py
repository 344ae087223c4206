"""TensorFlow Serving over gRPC: the codec, and a client that asks once.

https://github.com/tensorflow/serving/tree/master/tensorflow_serving/apis. The messages are those of
tensorflow-serving-api, which import all of TensorFlow (seconds, and hundreds of MB): only where they are used.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError

from loadtests.call import require_ok, unary
from loadtests.errors import ProtocolError
from loadtests.request import Request

TRANSPORT: Final = "grpc"
TYPED: Final = True

METHOD = "/tensorflow.serving.PredictionService/Predict"
SIGNATURE = "serving_default"


def encode(model: str, tensors: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> Request:
    """One call of `METHOD` for `outputs` (None: all); raises `ProtocolError` for tensors that are not numeric."""
    tf, predict_pb2 = _library()
    message = predict_pb2.PredictRequest(output_filter=outputs or ())
    message.model_spec.name, message.model_spec.signature_name = model, SIGNATURE
    for name, array in tensors.items():
        if array.dtype.kind not in "biuf":
            raise ProtocolError(f"tensor {name!r} is {array.dtype}; known: booleans, integers and floats")
        message.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    return Request(METHOD, {}, message.SerializeToString())


def decode(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, np.ndarray]:
    """The output tensors by name, each an array of its own; raises `ProtocolError` where there are none."""
    require_ok(status, headers)
    tf, predict_pb2 = _library()
    try:
        message = predict_pb2.PredictResponse.FromString(body)
        found = {name: tf.make_ndarray(tensor) for name, tensor in message.outputs.items()}
    except (DecodeError, ValueError, TypeError) as exc:
        raise ProtocolError(f"not a PredictResponse of tensors: {exc}") from exc
    for name, array in found.items():
        if array.dtype.kind not in "biuf":
            raise ProtocolError(f"output {name!r} is {array.dtype}; known: booleans, integers and floats")
    return found


def infer(url: str, model: str, tensors: Mapping[str, np.ndarray], timeout_s: float) -> dict[str, np.ndarray]:
    """Ask `grpc://host:port` once, on a channel of its own, and wait; raises as `unary` and `decode` do."""
    return decode(*unary(url, encode(model, tensors), timeout_s))


def _library() -> tuple[Any, Any]:
    """TensorFlow and its messages, imported at the first call."""
    with contextlib.nullcontext() if "tensorflow" in sys.modules else _silence():
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

    return tf, predict_pb2


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Nothing reaches stderr: TensorFlow's remarks on the machine heed no setting, and spoil a run's display."""
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
