"""Open Inference Protocol v2 over gRPC, tensors as raw bytes: the codec, and a client that asks once.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/open_inference_grpc.proto
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from google.protobuf.message import DecodeError

from loadtests import datatypes
from loadtests.call import require_ok, unary
from loadtests.errors import ProtocolError
from loadtests.protos import oip_pb2 as oip
from loadtests.request import Request

TRANSPORT: Final = "grpc"
TYPED: Final = True

METHOD = "/inference.GRPCInferenceService/ModelInfer"

_CONTENTS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}
"""Where the values of an output are when they are not raw."""


def encode(model: str, tensors: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> Request:
    """One call of `METHOD` for `outputs` (None: all); raises `ProtocolError` for tensors that are not numeric."""
    message = oip.ModelInferRequest(model_name=model)
    for name, array in tensors.items():
        message.inputs.add(name=name, datatype=datatypes.datatype_of(name, array), shape=array.shape)
        message.raw_input_contents.append(datatypes.to_raw(array))
    for name in outputs or ():
        message.outputs.add(name=name)
    return Request(METHOD, {}, message.SerializeToString())


def decode(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, np.ndarray]:
    """The output tensors by name, each an array of its own; raises `ProtocolError` where there are none."""
    require_ok(status, headers)
    try:
        message = oip.ModelInferResponse.FromString(body)
    except DecodeError as exc:
        raise ProtocolError(f"not a ModelInferResponse: {exc}") from exc
    outputs, raw = message.outputs, message.raw_output_contents
    if not raw:
        return {output.name: _typed(output) for output in outputs}
    if len(raw) != len(outputs):
        raise ProtocolError(f"raw_output_contents holds {len(raw)} tensors, outputs {len(outputs)}")
    pairs = zip(outputs, raw, strict=True)
    return {output.name: datatypes.from_raw(output.name, output.datatype, output.shape, own) for output, own in pairs}


def infer(url: str, model: str, tensors: Mapping[str, np.ndarray], timeout_s: float) -> dict[str, np.ndarray]:
    """Ask `grpc://host:port` once, on a channel of its own, and wait; raises as `unary` and `decode` do."""
    return decode(*unary(url, encode(model, tensors), timeout_s))


def _typed(output: oip.ModelInferResponse.InferOutputTensor) -> np.ndarray:
    dtype, field = datatypes.dtype_of(output.name, output.datatype), _CONTENTS.get(output.datatype)
    values = list(getattr(output.contents, field)) if field else []
    try:
        return np.array(values, dtype=dtype).reshape(output.shape)
    except (ValueError, OverflowError) as exc:
        raise ProtocolError(f"output {output.name!r}: its values do not fit: {exc}") from exc
