"""The Open Inference Protocol's names of datatypes, and NumPy's. https://github.com/kserve/open-inference-protocol"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from serving.reference.errors import RequestError

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
}
"""NumPy dtype name (little-endian, as on the wire) by the protocol's name; BYTES has none."""

WIRE = {dtype: name for name, dtype in NUMPY.items()}
"""The protocol's name by NumPy dtype name."""

_JSON_TYPES: dict[str, set[type]] = {"b": {bool}, "f": {int, float}}


def from_json(name: str, data: object, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """JSON numbers, flat or nested, as a flat array of `dtype`.

    Raises `RequestError` for ragged lists, for what is no number, and for numbers that the datatype cannot hold: a
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
        raise RequestError(400, f"input {name!r}: 'data' does not hold {WIRE[dtype.name]} values only")
    try:
        with np.errstate(over="ignore"):
            array = np.array(flat, dtype)
    except OverflowError as exc:
        raise RequestError(400, f"input {name!r}: 'data' is out of the range of {WIRE[dtype.name]}") from exc
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise RequestError(400, f"input {name!r}: 'data' is out of the range of {WIRE[dtype.name]}")
    return array
