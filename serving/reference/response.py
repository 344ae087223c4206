"""An inference response onto the wire: JSON, with or without the binary tensor data extension."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from serving.reference.datatypes import WIRE
from serving.reference.request import Request

Headers = list[tuple[bytes, bytes]]

JSON: Headers = [(b"content-type", b"application/json")]


def encode(
    model: str, version: str, request: Request, outputs: dict[str, np.ndarray[Any, Any]]
) -> tuple[Headers, bytes]:
    """Headers and body, plain JSON where no tensor is binary; NaN and Inf are null there, as JSON has neither."""
    wanted = request.outputs if request.outputs is not None else dict.fromkeys(outputs, request.binary_output)
    tensors: list[dict[str, Any]] = []
    parts: list[bytes | memoryview] = [b""]
    for name, binary in wanted.items():
        array = np.ascontiguousarray(outputs[name])
        tensor = {"name": name, "shape": outputs[name].shape, "datatype": WIRE[array.dtype.name]}
        if binary:
            tensor["parameters"] = {"binary_data_size": array.nbytes}
            parts.append(array.reshape(-1).view(np.uint8).data)
        else:
            tensor["data"] = array.reshape(-1)
        tensors.append(tensor)
    fields: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": tensors}
    if request.id is not None:
        fields["id"] = request.id
    header = orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY)
    if len(parts) == 1:
        return JSON, header
    parts[0] = header
    length = str(len(header)).encode()
    return [(b"content-type", b"application/octet-stream"), (b"inference-header-content-length", length)], b"".join(
        parts
    )
