"""The smallest client of the Open Inference Protocol over HTTP that can also misbehave."""

from __future__ import annotations

import http.client
import json
import struct
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from serving.reference.datatypes import NUMPY, WIRE

Array = np.ndarray[Any, Any]


class Answer:
    """A response: status, headers in lower case, raw body, and the JSON it starts with."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()
        is_json = self.headers.get("content-type", "").startswith("application/") and self.body
        self.json: Any = json.loads(self.body[: self.header_length]) if is_json else None

    @property
    def header_length(self) -> int:
        return int(self.headers.get("inference-header-content-length", len(self.body)))

    def arrays(self) -> dict[str, Array]:
        """Outputs by name, whichever way each of them came."""
        found, offset = {}, self.header_length
        for tensor in self.json["outputs"]:
            dtype = np.dtype(NUMPY[tensor["datatype"]])
            size = tensor.get("parameters", {}).get("binary_data_size")
            if size is None:
                flat = np.array([encoded(value) for value in tensor["data"]], dtype)
            else:
                flat, offset = _values(self.body[offset : offset + size], dtype), offset + size
            found[tensor["name"]] = flat.reshape(tensor["shape"])
        return found


def call(url: str, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def infer(url: str, model: str, request: object, binary: bytes | None = None) -> Answer:
    """POST one inference request; `binary` follows the JSON and is announced by its length."""
    header = json.dumps(request).encode()
    headers = {} if binary is None else {"Inference-Header-Content-Length": str(len(header))}
    return call(url, "POST", f"/v2/models/{model}/infer", header + (binary or b""), headers)


def as_json(name: str, array: Array) -> dict[str, Any]:
    """An input tensor with its values in the JSON."""
    data = [value.decode() if isinstance(value, bytes) else value for value in array.ravel().tolist()]
    return {"name": name, "shape": array.shape, "datatype": WIRE[array.dtype.name], "data": data}


def as_binary(name: str, array: Array) -> dict[str, Any]:
    """An input tensor whose values follow the JSON."""
    parameters = {"binary_data_size": len(binary(array))}
    return {"name": name, "shape": array.shape, "datatype": WIRE[array.dtype.name], "parameters": parameters}


def binary(array: Array) -> bytes:
    """The values as they follow the JSON: little-endian, and of BYTES each with its length before it."""
    if array.dtype.kind != "O":
        return array.tobytes()
    return b"".join(struct.pack("<I", len(value)) + value for value in array.ravel())


def encoded(value: object) -> object:
    """Strings as UTF-8, anything else as it is."""
    return value.encode() if isinstance(value, str) else value


def _values(raw: bytes, dtype: np.dtype[Any]) -> Array:
    if dtype.kind != "O":
        return np.frombuffer(raw, dtype)
    values, offset = [], 0
    while offset < len(raw):
        (size,) = struct.unpack_from("<I", raw, offset)
        values.append(raw[offset + 4 : offset + 4 + size])
        offset += 4 + size
    return np.array(values, object)


def refused(answer: Answer, status: int, *words: str) -> None:
    """The protocol's error object and nothing else, in one line that names what is wrong."""
    assert answer.status == status, answer.body
    assert list(answer.json) == ["error"]
    assert "\n" not in answer.json["error"]
    assert "Traceback" not in answer.json["error"]
    for word in words:
        assert word in answer.json["error"]


def probe(url: str, model: str) -> bool:
    """Whether the tiny model answers, and rightly."""
    x = np.arange(4, dtype=np.float32).reshape(1, 4)
    try:
        answer = infer(url, model, {"inputs": [as_json("x", x)]})
    except OSError:
        return False
    assert answer.status == 200, answer.json
    np.testing.assert_allclose(answer.arrays()["y"], 2 * x + 1)
    return True
