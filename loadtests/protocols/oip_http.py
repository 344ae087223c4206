"""Open Inference Protocol v2 over HTTP, with the binary tensor extension: the codec, and a client that asks once.

https://github.com/kserve/open-inference-protocol (protocol) and
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md (extension).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from loadtests.ask import post
from loadtests.errors import NotReady, ProtocolError
from loadtests.request import Request

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

HEADER_LENGTH = "inference-header-content-length"
"""How many bytes of the body are JSON; the binary tensors follow in order."""

_DATATYPES = {dtype: name for name, dtype in DTYPES.items()}


def ready_path(model: str) -> str:
    """Answers 200 once the model can be asked."""
    return f"/v2/models/{quote(model, safe='')}/ready"


def encode(
    model: str, tensors: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None, binary: bool = True
) -> Request:
    """One request for `outputs` (None: all), answered in the encoding it is asked in; raises `ProtocolError`."""
    chunks: list[bytes] = []
    header: dict[str, Any] = {"inputs": [_encode_tensor(name, tensors[name], chunks, binary) for name in tensors]}
    if outputs is not None:
        header["outputs"] = [{"name": name, "parameters": {"binary_data": binary}} for name in outputs]
    elif binary:
        header["parameters"] = {"binary_data_output": True}
    try:
        prefix = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    except ValueError as exc:
        raise ProtocolError(f"JSON has no NaN and no infinity; send these tensors binary: {exc}") from exc
    headers = {"Content-Type": "application/json"}
    if binary:
        headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(prefix))}
    return Request(f"/v2/models/{quote(model, safe='')}/infer", headers, b"".join([prefix, *chunks]))


def decode(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, np.ndarray]:
    """The output tensors by name, each an array of its own.

    Raises `ProtocolError` with the server's error text where the status is not 200, and naming what is wrong where the
    body is not a response of the protocol.
    """
    if status != 200:
        raise ProtocolError(f"status {status}: {_error_text(body)}")
    length = next((value for name, value in headers.items() if name.lower() == HEADER_LENGTH), None)
    try:
        split = len(body) if length is None else int(length)
        if not 0 <= split <= len(body):
            raise ProtocolError(f"the response says {split} bytes are JSON, but has {len(body)}")
        rest = memoryview(body)[split:]
        tensors = {}
        for output in json.loads(body[:split])["outputs"]:
            tensors[output["name"]], rest = _decode_tensor(output, rest)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ProtocolError(f"not an inference response: {type(exc).__name__}: {exc}") from exc
    if len(rest):
        raise ProtocolError(f"{len(rest)} bytes follow the last tensor of the response")
    return tensors


def infer(url: str, model: str, tensors: Mapping[str, np.ndarray], timeout_s: float) -> dict[str, np.ndarray]:
    """Ask `http://host:port` once, on a connection of its own, and wait.

    Raises `NotReady` where there is no answer yet (nothing listens, the connection broke, the time was up, status 503)
    and `ProtocolError` where the answer is wrong.
    """
    status, headers, body = post(url, encode(model, tensors), timeout_s)
    if status == 503:
        raise NotReady(f"status 503: {_error_text(body)}")
    return decode(status, headers, body)


def _encode_tensor(name: str, array: np.ndarray, chunks: list[bytes], binary: bool) -> dict[str, Any]:
    dtype = array.dtype.newbyteorder("<")
    if dtype not in _DATATYPES:
        raise ProtocolError(f"tensor {name!r} is {array.dtype}; known: {', '.join(str(d) for d in DTYPES.values())}")
    tensor: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": _DATATYPES[dtype]}
    if binary:
        chunks.append(array.astype(dtype, copy=False).tobytes())
        return tensor | {"parameters": {"binary_data_size": len(chunks[-1])}}
    if tensor["datatype"] == "FP16":
        raise ProtocolError(f"tensor {name!r} is FP16, which the protocol carries only as binary")
    return tensor | {"data": array.ravel().tolist()}


def _decode_tensor(output: dict[str, Any], rest: memoryview) -> tuple[np.ndarray, memoryview]:
    name, shape, datatype = output["name"], output["shape"], output["datatype"]
    if datatype not in DTYPES:
        raise ProtocolError(f"output {name!r} is {datatype}; known: {', '.join(DTYPES)}")
    dtype = DTYPES[datatype]
    size = output.get("parameters", {}).get("binary_data_size")
    if size is None:
        return np.array(output["data"], dtype=dtype).reshape(shape), rest
    if not 0 <= size <= len(rest) or size != int(np.prod(shape, dtype=np.int64)) * dtype.itemsize:
        raise ProtocolError(
            f"output {name!r} of shape {shape} and {datatype} says {size} bytes, and {len(rest)} are there"
        )
    # Copied, so that an output kept does not hold the whole response, and can be written to.
    return np.frombuffer(rest[:size], dtype=dtype).reshape(shape).copy(), rest[size:]


def _error_text(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, TypeError, KeyError):
        return body[:200].decode(errors="replace") or "no message"
