"""An inference response onto the wire: JSON, with or without the binary tensor data extension."""

from __future__ import annotations

from typing import Any

import orjson

from serving.reference.datatypes import DATATYPE, to_bytes, to_json
from serving.reference.exchange import JSON, Reply
from serving.reference.model import Model
from serving.reference.request import Request
from serving.reference.runtimes import Arrays


def encode(model: Model, request: Request, outputs: Arrays) -> Reply:
    """Plain JSON where no tensor is binary; NaN and Inf are null there, as JSON has neither.

    Binary tensors are views of `outputs`, which go to the socket as they lie.
    """
    wanted = request.outputs if request.outputs is not None else dict.fromkeys(outputs, request.binary_output)
    tensors: list[dict[str, Any]] = []
    body: list[bytes | memoryview] = [b""]
    for name, binary in wanted.items():
        array = outputs[name]
        tensor: dict[str, Any] = {"name": name, "shape": array.shape, "datatype": DATATYPE[array.dtype]}
        if binary:
            raw = to_bytes(array)
            tensor["parameters"] = {"binary_data_size": len(raw)}
            body.append(raw)
        else:
            tensor["data"] = to_json(name, array)
        tensors.append(tensor)
    fields: dict[str, Any] = {"model_name": model.name, "model_version": model.version, "outputs": tensors}
    if request.id is not None:
        fields["id"] = request.id
    body[0] = header = orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY)
    if len(body) == 1:
        return 200, JSON, body
    length = str(len(header)).encode()
    binary_headers = [(b"content-type", b"application/octet-stream"), (b"inference-header-content-length", length)]
    return 200, binary_headers, body
