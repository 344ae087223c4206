"""The Open Inference Protocol's names of datatypes, and NumPy's. https://github.com/kserve/open-inference-protocol"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from serving.reference.errors import RequestError

Array = np.ndarray[Any, Any]

NUMPY = {
    "BOOL": "bool",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": "object",
}
"""NumPy dtype name (little-endian, as on the wire) by the protocol's name; BYTES are object arrays of `bytes`."""

WIRE = {dtype: name for name, dtype in NUMPY.items()}
"""The protocol's name by NumPy dtype name."""

DTYPE = {name: np.dtype(dtype) for name, dtype in NUMPY.items()}
"""NumPy's dtype by the protocol's name."""

DATATYPE = {dtype: name for name, dtype in DTYPE.items()}
"""The protocol's name by NumPy's dtype, whose own `name` takes a microsecond."""

_JSON_TYPES: dict[str, set[type]] = {"b": {bool}, "f": {int, float}, "O": {str, bytes}}  # bytes: base64, decoded
_LENGTH_BYTES = 4
SMALL_BYTES = 4096
"""So much is copied sooner than a view of it is made."""


MAX_RANK = 32


def check_rank(name: str, rank: int) -> None:
    """Raise `RequestError` for more sizes than NumPy has axes, before anything is done with them."""
    if rank > MAX_RANK:
        raise RequestError(400, f"input {name!r}: {rank} axes, of which at most {MAX_RANK} are possible")


def named(name: str, datatype: str, texts: bool) -> np.dtype[Any]:
    """NumPy's dtype of an input by the protocol's name; raises `RequestError`, also for BYTES without `texts`."""
    if datatype == "BYTES" and not texts:
        raise RequestError(400, f"input {name!r}: found datatype BYTES, which no input of this model has")
    if datatype not in DTYPE:
        raise RequestError(400, f"input {name!r}: unsupported datatype {datatype!r}; known: {', '.join(DTYPE)}")
    return DTYPE[datatype]


def shaped(name: str, flat: Array, shape: Sequence[int]) -> Array:
    """A view of the flat array; raises `RequestError` where the shape asks for another number of values."""
    check_rank(name, len(shape))
    if math.prod(shape) != flat.size:
        asked = math.prod(shape)
        raise RequestError(400, f"input {name!r}: shape {list(shape)} asks for {asked} values, got {flat.size}")
    try:
        return flat.reshape(tuple(shape))
    except (ValueError, OverflowError) as exc:  # negative sizes, or none beside huge ones
        raise RequestError(400, f"input {name!r}: there is no array of shape {list(shape)}") from exc


def from_json(name: str, data: object, dtype: np.dtype[Any]) -> Array:
    """JSON values, flat or nested, as a flat array of `dtype`; strings become UTF-8.

    Raises `RequestError` for ragged lists, for values of another type, and for numbers that the datatype cannot hold: a
    silently rounded index or a wrapped pixel gives a wrong answer with status 200.
    """
    if not isinstance(data, list):
        raise RequestError(400, f"input {name!r}: 'data' must be a list, found {type(data).__name__}")
    flat, types = data, set(map(type, data))
    while types == {list}:
        if len(set(map(len, flat))) != 1:
            raise RequestError(400, f"input {name!r}: 'data' is ragged")
        flat = list(chain.from_iterable(flat))
        types = set(map(type, flat))
    # Looked at before NumPy sees them: it would parse strings, and pad a list of them to the longest, however long.
    if not types <= _JSON_TYPES.get(dtype.kind, {int}):
        raise RequestError(400, f"input {name!r}: 'data' does not hold {DATATYPE[dtype]} values only")
    if dtype.kind == "O":
        return objects([text.encode() if isinstance(text, str) else text for text in flat])
    try:
        with np.errstate(over="ignore"):
            array = np.array(flat, dtype)
    except OverflowError as exc:
        raise RequestError(400, f"input {name!r}: 'data' is out of the range of {DATATYPE[dtype]}") from exc
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise RequestError(400, f"input {name!r}: 'data' is out of the range of {DATATYPE[dtype]}")
    return array


def to_json(name: str, array: Array) -> object:
    """What orjson can write: the flat array itself, or strings. Raises `RequestError` for bytes that are no UTF-8."""
    if array.dtype.kind != "O":
        return array.reshape(-1)
    try:
        return [value.decode() for value in array.reshape(-1)]
    except UnicodeDecodeError as exc:
        raise RequestError(400, f"output {name!r} is not UTF-8: ask for it as binary data") from exc


def from_bytes(name: str, raw: memoryview, dtype: np.dtype[Any]) -> Array:
    """A flat array over raw little-endian values, without a copy where they are aligned; raises `RequestError`.

    BYTES are elements of a 4-byte length each, as Triton's binary extension has them.
    """
    if dtype.kind == "O":
        return objects(_elements(name, raw))
    if len(raw) % dtype.itemsize:
        raise RequestError(400, f"input {name!r}: {len(raw)} bytes are not divisible by {dtype.itemsize}")
    array = np.frombuffer(raw, dtype)
    if dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:
        raise RequestError(400, f"input {name!r}: a BOOL is neither 0 nor 1")
    # The JSON before it may end on any byte; runtimes are entitled to aligned memory (the one copy on this path).
    return array if array.flags.aligned else array.copy()


def to_bytes(array: Array) -> bytes | memoryview:
    """Raw little-endian values, a view where the array is contiguous and not small; BYTES with their lengths."""
    if array.nbytes <= SMALL_BYTES and array.dtype.kind != "O":
        return array.tobytes()
    if array.dtype.kind != "O":
        return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    return b"".join(len(value).to_bytes(_LENGTH_BYTES, "little") + value for value in array.reshape(-1))


def objects(values: list[bytes]) -> Array:
    """A flat object array; NumPy itself would make strings of fixed width of them, and lose trailing zeros."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _elements(name: str, raw: memoryview) -> list[bytes]:
    values, offset = [], 0
    while offset < len(raw):
        start = offset + _LENGTH_BYTES
        offset = start + int.from_bytes(raw[offset:start], "little")
        if offset > len(raw):
            raise RequestError(400, f"input {name!r}: an element of BYTES ends after its tensor")
        values.append(bytes(raw[start:offset]))
    return values
