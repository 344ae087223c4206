"""The Open Inference Protocol's datatypes and raw tensors, alike over HTTP and gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from loadtests.errors import ProtocolError

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""Numeric datatypes; tensors are little-endian and row-major on the wire."""

_DATATYPES = {dtype: name for name, dtype in DTYPES.items()}


def datatype_of(name: str, array: np.ndarray) -> str:
    """The datatype of tensor `name`; raises `ProtocolError` where there is none."""
    dtype = array.dtype.newbyteorder("<")
    if dtype not in _DATATYPES:
        raise ProtocolError(f"tensor {name!r} is {array.dtype}; known: {', '.join(str(d) for d in DTYPES.values())}")
    return _DATATYPES[dtype]


def dtype_of(name: str, datatype: str) -> np.dtype[Any]:
    """NumPy's dtype of output `name`; raises `ProtocolError` for a datatype that is not numeric."""
    if datatype not in DTYPES:
        raise ProtocolError(f"output {name!r} is {datatype}; known: {', '.join(DTYPES)}")
    return DTYPES[datatype]


def to_raw(array: np.ndarray) -> bytes:
    """The values as they are on the wire."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def from_raw(name: str, datatype: str, shape: Sequence[int], raw: bytes | memoryview) -> np.ndarray:
    """Output `name` in memory of its own; raises `ProtocolError` where `raw` is not as long as its shape asks for."""
    dtype = dtype_of(name, datatype)
    if min(shape, default=0) < 0 or len(raw) != int(np.prod(shape, dtype=np.int64)) * dtype.itemsize:
        raise ProtocolError(f"output {name!r} of shape {list(shape)} and {datatype} has {len(raw)} bytes")
    # Copied, so that an output kept does not hold the whole response, and can be written to.
    return np.frombuffer(raw, dtype=dtype).reshape(shape).copy()
