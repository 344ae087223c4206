"""LitServe: a `LitAPI` over ONNX Runtime.

- One API server, one inference worker (LitServe always has them in two processes).
- `fast_queue=True`: ZeroMQ between the two, which it documents for high rates (its other queue was no faster here).
- Access log off, no request timeout, no OpenAPI page, no request tracking.
- uvloop and httptools are installed, and its uvicorn uses them.
"""

from __future__ import annotations

import json

import numpy as np

from benchmarks.models import Array, Model
from benchmarks.peers.contract import Job
from benchmarks.pinned import Command
from benchmarks.wire import BINARY_TYPE, JSON_TYPE, Request, Response, as_json

PACKAGE = "litserve"
ENCODINGS = {
    "json": "its default: a JSON object with the numbers",
    # By default it takes JSON or forms only. A typed `decode_request`, which FastAPI reads, is the documented way to
    # anything else; raw bytes spare base64, and the form parser.
    "binary": "raw float32 bytes both ways (`decode_request` typed as bytes, a `Response` returned)",
}


def start(job: Job) -> Command:
    argv = [str(job.python), "-m", "benchmarks.peers.litserve.server", str(job.port)]
    return Command(argv, {"MODEL_PATH": str(job.model.path)}, job.scratch)


def request(model: Model, form: str) -> Request:
    if form == "json":
        return Request("/json", as_json({"x": model.sample}), {"Content-Type": JSON_TYPE})
    return Request("/binary", model.sample.tobytes(), {"Content-Type": BINARY_TYPE})


def answer(response: Response) -> Array:
    if response.headers["content-type"].startswith(JSON_TYPE):
        return np.array(json.loads(response.body)["y"], np.float32).ravel()
    return np.frombuffer(response.body, np.float32)
