"""The smallest client of the Open Inference Protocol over HTTP that can also misbehave."""

from __future__ import annotations

import http.client
import json
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
        self.json = json.loads(self.body[: self.header_length])

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
                flat = np.array(tensor["data"], dtype)
            else:
                flat, offset = np.frombuffer(self.body[offset : offset + size], dtype), offset + size
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
    return {"name": name, "shape": array.shape, "datatype": WIRE[array.dtype.name], "data": array.ravel().tolist()}


def as_binary(name: str, array: Array) -> dict[str, Any]:
    """An input tensor whose values follow the JSON."""
    parameters = {"binary_data_size": array.nbytes}
    return {"name": name, "shape": array.shape, "datatype": WIRE[array.dtype.name], "parameters": parameters}


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
