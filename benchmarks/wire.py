"""One HTTP request and its response; and the Open Inference Protocol's encoding, which three of the servers speak."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
import orjson

from benchmarks.models import INPUT, Array

JSON_TYPE = "application/json"
BINARY_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Request:
    """A POST, the same bytes every time."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Response:
    """Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def send(url: str, request: Request, timeout_s: float = 30.0) -> Response:
    """One request on a connection of its own; raises `OSError` or `http.client.HTTPException`."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout_s)
    try:
        connection.request("POST", request.path, request.body, request.headers)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, headers, response.read())
    finally:
        connection.close()


def as_json(value: object) -> bytes:
    """Compact JSON; float32 arrays with the shortest digits that give the same float32 back."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def oip(model: str, x: Array, form: str) -> Request:
    """An Open Inference Protocol v2 request, tensors in JSON or, in both directions, behind it.

    https://github.com/kserve/open-inference-protocol and its binary tensor data extension.
    """
    tensor = {"name": INPUT, "shape": x.shape, "datatype": "FP32"}
    path = f"/v2/models/{model}/infer"
    if form == "json":
        return Request(path, as_json({"inputs": [{**tensor, "data": x.ravel()}]}), {"Content-Type": JSON_TYPE})
    tensor["parameters"] = {"binary_data_size": x.nbytes}
    header = as_json({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    headers = {"Content-Type": BINARY_TYPE, "Inference-Header-Content-Length": str(len(header))}
    return Request(path, header + x.tobytes(), headers)


def oip_answer(response: Response) -> Array:
    """The first output of an Open Inference Protocol response, flat, whichever way it came."""
    length = int(response.headers.get("inference-header-content-length", len(response.body)))
    tensor = json.loads(response.body[:length])["outputs"][0]
    if "data" in tensor:
        return np.array(tensor["data"], np.float32).ravel()
    return np.frombuffer(response.body[length:], np.float32)
