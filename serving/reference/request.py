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

from serving.reference.datatypes import DTYPE, Array, from_bytes, from_json
from serving.reference.errors import RequestError

MAX_DIGITS = 18  # Python itself refuses to read numbers of thousands of digits
MAX_TIMEOUT_US = 10**12


@dataclass(slots=True)
class Request:
    """Arrays by input name; whether an output goes out as binary, by output name in the order asked for (None: all)."""

    id: str | None
    inputs: dict[str, Array]
    outputs: dict[str, bool] | None
    binary_output: bool
    timeout_s: float
    """The deadline that the request brings; 0 is none."""


def header_length(value: bytes | None) -> int | None:
    """The length of the JSON before binary tensors, as the header says it; None where all of the body is JSON."""
    if value is None:
        return None
    if not value.isdigit() or len(value) > MAX_DIGITS:
        shown = value.decode("latin-1")
        raise RequestError(400, f"Inference-Header-Content-Length must be a number of bytes, not {shown!r}")
    return int(value)


def decode(view: memoryview, header_length: int | None) -> Request:
    """Read a request whose first `header_length` bytes are JSON (None: all of them); raises `RequestError` (400).

    Binary tensors are views of the body, so it must not be changed afterwards.
    """
    if header_length is not None and header_length > len(view):
        raise RequestError(400, f"Inference-Header-Content-Length is {header_length}, the body has {len(view)} bytes")
    split = len(view) if header_length is None else header_length
    try:
        fields = orjson.loads(view[:split])
    except orjson.JSONDecodeError as exc:
        raise RequestError(400, f"the request is not JSON: {exc}") from exc
    fields = _object(fields, "the request")
    request_id = fields.get("id")
    if not isinstance(request_id, str | None):
        raise RequestError(400, "'id' must be a string")
    parameters = _parameters(fields, "the request")
    binary_output = _flag(parameters, "binary_data_output", False)
    timeout_us = parameters.get("timeout", 0)
    if type(timeout_us) is not int or not 0 <= timeout_us < MAX_TIMEOUT_US:
        raise RequestError(400, f"'timeout' must be a number of microseconds, not {timeout_us!r}")
    inputs = _inputs(_list(fields.get("inputs"), "inputs"), view[split:])
    return Request(request_id, inputs, _outputs(fields, binary_output), binary_output, timeout_us / 1e6)


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
            if type(size) is not int or not 0 <= size <= len(binary) - offset:
                left = len(binary) - offset
                raise RequestError(400, f"input {name!r}: 'binary_data_size' is {size!r}, {left} bytes are left")
            flat = from_bytes(name, binary[offset : offset + size], dtype)
            offset += size
        if math.prod(shape) != flat.size:
            raise RequestError(
                400, f"input {name!r}: shape {shape} asks for {math.prod(shape)} values, got {flat.size}"
            )
        arrays[name] = flat.reshape(shape)
    if offset != len(binary):
        raise RequestError(400, f"{len(binary) - offset} bytes follow the last binary tensor")
    return arrays


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
    if not isinstance(datatype, str) or datatype not in DTYPE:
        raise RequestError(400, f"input {name!r}: unsupported datatype {datatype!r}; known: {', '.join(DTYPE)}")
    return DTYPE[datatype]


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
