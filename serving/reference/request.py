"""An inference request off the wire: JSON, with or without the binary tensor data extension.

https://github.com/kserve/open-inference-protocol and
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from serving.reference.datatypes import Array, from_bytes, from_json, named, shaped
from serving.reference.errors import RequestError

MAX_DIGITS = 18  # Python itself refuses to read numbers of thousands of digits

Size = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(slots=True)
class Request:
    """Arrays by input name; whether an output goes out as binary, by output name in the order asked for (None: all)."""

    id: str | None
    inputs: dict[str, Array]
    outputs: dict[str, bool] | None
    binary_output: bool
    timeout_s: float
    """The deadline that the request brings; 0 is none."""


class _InputParameters(msgspec.Struct):
    binary_data_size: Size | None = None
    shared_memory_region: object = None


class _Input(msgspec.Struct):
    name: str
    shape: Annotated[tuple[Size, ...], msgspec.Meta(max_length=32)]
    datatype: str
    parameters: _InputParameters | None = None
    data: list[Any] | msgspec.UnsetType = msgspec.UNSET


class _OutputParameters(msgspec.Struct):
    binary_data: bool | None = None
    classification: object = None
    shared_memory_region: object = None


class _Output(msgspec.Struct):
    name: str
    parameters: _OutputParameters | None = None


class _Parameters(msgspec.Struct):
    binary_data_output: bool = False
    timeout: Annotated[int, msgspec.Meta(ge=0, lt=10**12)] = 0
    """Microseconds."""


class _Document(msgspec.Struct):
    inputs: list[_Input]
    id: str | None = None
    parameters: _Parameters | None = None
    outputs: list[_Output] | None = None


_DECODER = msgspec.json.Decoder(_Document)


def header_length(value: bytes | None) -> int | None:
    """The length of the JSON before binary tensors, as the header says it; None where all of the body is JSON."""
    if value is None:
        return None
    if not value.isdigit() or len(value) > MAX_DIGITS:
        shown = value.decode("latin-1")
        raise RequestError(400, f"Inference-Header-Content-Length must be a number of bytes, not {shown!r}")
    return int(value)


def decode(body: memoryview, length: int | None) -> Request:
    """Read a request whose first `length` bytes are JSON (None: all of them); raises `RequestError` (400).

    Binary tensors are views of the body, so it must not be changed afterwards.
    """
    if length is not None and length > len(body):
        raise RequestError(400, f"Inference-Header-Content-Length is {length}, the body has {len(body)} bytes")
    split = len(body) if length is None else length
    try:
        document = _DECODER.decode(body[:split])
    except msgspec.ValidationError as exc:
        raise RequestError(400, f"the request is not one of inference: {exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise RequestError(400, f"the request is not JSON: {exc}") from exc
    parameters = document.parameters or _Parameters()
    inputs = _inputs(document.inputs, body[split:])
    outputs = _outputs(document.outputs or [], parameters.binary_data_output)
    return Request(document.id, inputs, outputs, parameters.binary_data_output, parameters.timeout / 1e6)


def _inputs(tensors: list[_Input], binary: memoryview) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    offset = 0
    for tensor in tensors:
        name = tensor.name
        if name in arrays:
            raise RequestError(400, f"input {name!r} is given twice")
        dtype = named(name, tensor.datatype)
        parameters = tensor.parameters or _InputParameters()
        size = parameters.binary_data_size
        if parameters.shared_memory_region is not None:
            raise RequestError(400, f"input {name!r}: the shared memory extension is not supported")
        if size is None:
            if tensor.data is msgspec.UNSET:
                raise RequestError(400, f"input {name!r} has neither 'data' nor 'binary_data_size'")
            flat = from_json(name, tensor.data, dtype)
        elif tensor.data is not msgspec.UNSET:
            raise RequestError(400, f"input {name!r} has both 'data' and 'binary_data_size'")
        elif size > len(binary) - offset:
            left = len(binary) - offset
            raise RequestError(400, f"input {name!r}: 'binary_data_size' is {size}, {left} bytes are left")
        else:
            flat = from_bytes(name, binary[offset : offset + size], dtype)
            offset += size
        arrays[name] = shaped(name, flat, tensor.shape)
    if offset != len(binary):
        raise RequestError(400, f"{len(binary) - offset} bytes follow the last binary tensor")
    return arrays


def _outputs(outputs: list[_Output], binary_output: bool) -> dict[str, bool] | None:
    wanted: dict[str, bool] = {}
    for output in outputs:
        parameters = output.parameters or _OutputParameters()
        if parameters.classification is not None:
            raise RequestError(400, f"output {output.name!r}: the classification extension is not supported")
        if parameters.shared_memory_region is not None:
            raise RequestError(400, f"output {output.name!r}: the shared memory extension is not supported")
        wanted[output.name] = binary_output if parameters.binary_data is None else parameters.binary_data
    return wanted or None
