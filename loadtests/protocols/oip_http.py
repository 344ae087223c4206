"""Open Inference Protocol v2 over HTTP, with the binary tensor extension: the codec, and a client that asks once.

https://github.com/kserve/open-inference-protocol (protocol) and
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md (extension).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from loadtests import datatypes
from loadtests.ask import post, require_ok
from loadtests.errors import ProtocolError
from loadtests.request import Request

TRANSPORT: Final = "http"
TYPED: Final = True

HEADER_LENGTH = "inference-header-content-length"
"""How many bytes of the body are JSON; the binary tensors follow in order."""


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
    require_ok(status, body)
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
    """Ask `http://host:port` once, on a connection of its own, and wait; raises as `post` and `decode` do."""
    return decode(*post(url, encode(model, tensors), timeout_s))


def _encode_tensor(name: str, array: np.ndarray, chunks: list[bytes], binary: bool) -> dict[str, Any]:
    tensor: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": datatypes.datatype_of(name, array)}
    if binary:
        chunks.append(datatypes.to_raw(array))
        return tensor | {"parameters": {"binary_data_size": len(chunks[-1])}}
    if tensor["datatype"] == "FP16":
        raise ProtocolError(f"tensor {name!r} is FP16, which the protocol carries only as binary")
    return tensor | {"data": array.ravel().tolist()}


def _decode_tensor(output: dict[str, Any], rest: memoryview) -> tuple[np.ndarray, memoryview]:
    name, shape, datatype = output["name"], output["shape"], output["datatype"]
    size = output.get("parameters", {}).get("binary_data_size")
    if size is None:
        return np.array(output["data"], dtype=datatypes.dtype_of(name, datatype)).reshape(shape), rest
    if not 0 <= size <= len(rest):
        raise ProtocolError(f"output {name!r} says {size} bytes, and {len(rest)} are there")
    return datatypes.from_raw(name, datatype, shape, rest[:size]), rest[size:]
