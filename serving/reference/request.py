"""An inference request off the wire: JSON, with or without the binary tensor data extension.

https://github.com/kserve/open-inference-protocol and
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from serving.reference.datatypes import NUMPY, from_json
from serving.reference.errors import RequestError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Request:
    """Arrays by input name; whether an output goes out as binary, by output name in the order asked for (None: all)."""

    id: str | None
    inputs: dict[str, Array]
    outputs: dict[str, bool] | None
    binary_output: bool


def decode(body: bytearray, header_length: int | None) -> Request:
    """Read a request whose first `header_length` bytes are JSON (None: all of them); raises `RequestError` (400).

    Binary tensors are views of `body`, so it must not be changed afterwards.
    """
    if header_length is not None and header_length > len(body):
        raise RequestError(400, f"Inference-Header-Content-Length is {header_length}, the body has {len(body)} bytes")
    view = memoryview(body)
    split = len(body) if header_length is None else header_length
    try:
        fields = orjson.loads(view[:split])
    except orjson.JSONDecodeError as exc:
        raise RequestError(400, f"the request is not JSON: {exc}") from exc
    fields = _object(fields, "the request")
    request_id = fields.get("id")
    if not isinstance(request_id, str | None):
        raise RequestError(400, "'id' must be a string")
    binary_output = _flag(_parameters(fields, "the request"), "binary_data_output", False)
    inputs = _inputs(_list(fields.get("inputs"), "inputs"), view[split:])
    return Request(request_id, inputs, _outputs(fields, binary_output), binary_output)


def _inputs(tensors: list[Any], binary: memoryview) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    offset = 0
    for tensor in tensors:
        fields = _object(tensor, "an input")
        name = _name(fields, "input")
        if name in arrays:
            raise RequestError(400, f"input {name!r} is given twice")
        dtype, shape = _dtype(name, fields), _shape(name, fields)
        size = _parameters(fields, f"input {name!r}").get("binary_data_size")
        if size is None:
            flat = from_json(name, fields.get("data"), dtype)
        elif "data" in fields:
            raise RequestError(400, f"input {name!r} has both 'data' and 'binary_data_size'")
        else:
            flat = _from_binary(name, size, binary[offset:], dtype)
            offset += flat.nbytes
        if math.prod(shape) != flat.size:
            raise RequestError(
                400, f"input {name!r}: shape {shape} asks for {math.prod(shape)} values, got {flat.size}"
            )
        arrays[name] = flat.reshape(shape)
    if offset != len(binary):
        raise RequestError(400, f"{len(binary) - offset} bytes follow the last binary tensor")
    return arrays


def _from_binary(name: str, size: object, binary: memoryview, dtype: np.dtype[Any]) -> Array:
    if not isinstance(size, int) or isinstance(size, bool) or size < 0 or size % dtype.itemsize:
        raise RequestError(
            400,
            f"input {name!r}: 'binary_data_size' must be a number of bytes divisible by {dtype.itemsize}, not {size!r}",
        )
    if size > len(binary):
        raise RequestError(400, f"input {name!r}: 'binary_data_size' is {size}, only {len(binary)} bytes are left")
    array = np.frombuffer(binary[:size], dtype)
    # The JSON before it may end on any byte; runtimes are entitled to aligned memory (the one copy on this path).
    return array if array.flags.aligned else array.copy()


def _outputs(fields: dict[str, Any], binary_output: bool) -> dict[str, bool] | None:
    if fields.get("outputs") is None:
        return None
    outputs: dict[str, bool] = {}
    for output in _list(fields["outputs"], "outputs"):
        wanted = _object(output, "an output")
        name = _name(wanted, "output")
        parameters = _parameters(wanted, f"output {name!r}")
        if "classification" in parameters:
            raise RequestError(400, f"output {name!r}: the classification extension is not supported")
        outputs[name] = _flag(parameters, "binary_data", binary_output)
    return outputs or None


def _dtype(name: str, fields: dict[str, Any]) -> np.dtype[Any]:
    datatype = fields.get("datatype")
    if not isinstance(datatype, str) or datatype not in NUMPY:
        raise RequestError(400, f"input {name!r}: unsupported datatype {datatype!r}; known: {', '.join(NUMPY)}")
    return np.dtype(NUMPY[datatype])


def _shape(name: str, fields: dict[str, Any]) -> tuple[int, ...]:
    shape = _list(fields.get("shape"), f"input {name!r}: 'shape'")
    if len(shape) > 32 or not all(type(size) is int and size >= 0 for size in shape):
        raise RequestError(400, f"input {name!r}: 'shape' must be at most 32 integers ≥ 0")
    return tuple(shape)


def _name(fields: dict[str, Any], side: str) -> str:
    name = fields.get("name")
    if not isinstance(name, str):
        raise RequestError(400, f"each {side} needs a 'name'")
    return name


def _parameters(fields: dict[str, Any], where: str) -> dict[str, Any]:
    return _object(fields.get("parameters") or {}, f"'parameters' of {where}")


def _flag(parameters: dict[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise RequestError(400, f"{name!r} must be true or false")
    return value


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RequestError(400, f"{what} must be a JSON object")
    return value


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise RequestError(400, f"{what} must be a JSON array")
    return value
