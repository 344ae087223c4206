"""An inference request off the wire: JSON, with or without the binary tensor data extension.

https://github.com/kserve/open-inference-protocol and
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from serving.reference.datatypes import DTYPE, Array, from_bytes, from_json, named, shaped
from serving.reference.errors import RequestError
from serving.reference.memo import MAX_KEY_BYTES, Memo

MAX_DIGITS = 18  # Python itself refuses to read numbers of thousands of digits

Size = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(slots=True, eq=False)
class Asked:
    """What a request says beside its tensors' values. Not to be changed: requests that say the same share it."""

    id: str | None
    outputs: dict[str, bool] | None
    """Whether an output goes out as binary, by output name in the order asked for; None: all."""
    binary_output: bool
    timeout_s: float
    """The deadline that the request brings; 0 is none."""


@dataclass(slots=True, eq=False)
class Request:
    """Arrays by input name, and what is asked of them."""

    inputs: dict[str, Array]
    asked: Asked
    shared: bool = False
    """Whether all requests of the same `asked` have inputs of the same names, dtypes and shapes."""


class _InputParameters(msgspec.Struct):
    binary_data_size: Size | None = None
    shared_memory_region: object = None


class _Input(msgspec.Struct):
    name: str
    shape: tuple[Size, ...]
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
    inputs: Sequence[_Input]
    id: str | None = None
    parameters: _Parameters | None = None
    outputs: list[_Output] | None = None


class _Floats(_Input, kw_only=True):
    data: list[float]  # neither nested nor of mixed types, so that no value has to be looked at again


class _FloatsDocument(_Document):
    inputs: Sequence[_Floats]


_FLOATS_DECODER = msgspec.json.Decoder(_FloatsDocument)
_FORMAT = {"FP32": "f", "FP64": "d"}
_DECODER = msgspec.json.Decoder(_Document)


def header_length(value: bytes | None) -> int | None:
    """The length of the JSON before binary tensors, as the header says it; None where all of the body is JSON."""
    if value is None:
        return None
    if not value.isdigit() or len(value) > MAX_DIGITS:
        shown = value.decode("latin-1")
        raise RequestError(400, f"Inference-Header-Content-Length must be a number of bytes, not {shown!r}")
    return int(value)


def decode(body: memoryview, length: int | None, texts: bool = True) -> Request:
    """Read a request whose first `length` bytes are JSON (None: all of them); raises `RequestError` (400).

    Without `texts`, BYTES are refused unread: their elements must be found one by one, those of other tensors not.

    Binary tensors are views of the body, so it must not be changed afterwards.
    """
    if length is None:
        return _floats(body) or _request(_document(body), body[len(body) :], texts)
    if length > len(body):
        raise RequestError(400, f"Inference-Header-Content-Length is {length}, the body has {len(body)} bytes")
    text = body[:length]
    known = _KNOWN.get(key := bytes(text)) if length <= MAX_KEY_BYTES else None
    if known is not None and length + known.binary_bytes == len(body):
        return Request(_views(known.tensors, body, length), known.asked, shared=True)
    document, binary = _document(text), body[length:]
    request = _request(document, binary, texts)
    if length <= MAX_KEY_BYTES and document.id is None and all(map(_is_plain, document.inputs)):
        tensors = [(name, array.dtype, array.shape, array.nbytes) for name, array in request.inputs.items()]
        _KNOWN.keep(key, _Known(tensors, len(binary), request.asked))
        request.shared = True
    return request


Slot = tuple[str, np.dtype[Any], tuple[int, ...], int]
"""Where a binary tensor goes: its name, dtype, shape and size in bytes."""


@dataclass(slots=True, eq=False)
class _Known:
    """What JSON was found to say whose tensors all follow in binary and are numbers, of sizes that the JSON gives."""

    tensors: list[Slot]
    binary_bytes: int
    asked: Asked


_KNOWN: Memo[bytes, _Known] = Memo()


def _is_plain(tensor: _Input) -> bool:
    return tensor.data is msgspec.UNSET and tensor.datatype not in ("BYTES", "BOOL")  # whose bytes must be looked at


def _views(tensors: list[Slot], body: memoryview, offset: int) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for name, dtype, shape, size in tensors:
        array: Array = np.ndarray(shape, dtype, body, offset)
        arrays[name] = array if array.flags.aligned else array.copy()  # as `from_bytes`
        offset += size
    return arrays


def _floats(body: memoryview) -> Request | None:
    """The commonest request in JSON, quickly; None for any other and for what is wrong, which is read again."""
    arrays: dict[str, Array] = {}
    try:
        document = _FLOATS_DECODER.decode(body)
        for tensor in document.inputs:
            name, data = tensor.name, tensor.data
            if name in arrays or tensor.datatype not in _FORMAT or tensor.parameters is not None:
                return None
            flat = np.empty(len(data), DTYPE[tensor.datatype])
            struct.pack_into(
                f"={len(data)}{_FORMAT[tensor.datatype]}", flat.data, 0, *data
            )  # refuses what is out of range
            arrays[name] = shaped(name, flat, tensor.shape)
    except (ValueError, RecursionError, OverflowError, struct.error):
        return None
    return Request(arrays, _asked(document))


def _document(text: memoryview) -> _Document:
    try:
        return _DECODER.decode(text)
    except msgspec.ValidationError as exc:
        raise RequestError(400, f"the request is not one of inference: {exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise RequestError(400, f"the request is not JSON: {exc}") from exc


def _request(document: _Document, binary: memoryview, texts: bool) -> Request:
    return Request(_inputs(document.inputs, binary, texts), _asked(document))


def _asked(document: _Document) -> Asked:
    parameters = document.parameters or _Parameters()
    outputs = _outputs(document.outputs or [], parameters.binary_data_output)
    return Asked(document.id, outputs, parameters.binary_data_output, parameters.timeout / 1e6)


def _inputs(tensors: Sequence[_Input], binary: memoryview, texts: bool) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    offset = 0
    for tensor in tensors:
        name = tensor.name
        if name in arrays:
            raise RequestError(400, f"input {name!r} is given twice")
        dtype = named(name, tensor.datatype, texts)
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
