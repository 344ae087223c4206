"""BentoML: a service over ONNX Runtime, `bentoml serve`.

- `workers: 1`; access log, metrics, tracing and monitoring are off.
- `async def` endpoints: plain functions would be sent to a thread pool, a hop that only costs on one core.
- uvloop and httptools are installed, and its uvicorn uses them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.models import Array, Model
from benchmarks.peers.contract import Job
from benchmarks.pinned import ROOT, Command
from benchmarks.wire import BINARY_TYPE, JSON_TYPE, Request, Response, as_json
from serving.engines.launch import HOST

PACKAGE = "bentoml"
ENCODINGS = {
    "json": "its default: a JSON object with the numbers of a `numpy.ndarray` parameter",
    # Arrays go as JSON only (its pickled form is refused from outside), and a `Path` parameter would be written to a
    # temporary file first: bytes as the one positional parameter are handed over as they are.
    "binary": "raw float32 bytes both ways (a root parameter of type bytes)",
}


def start(job: Job) -> Command:
    service = "benchmarks.peers.bentoml.server:Onnx"
    argv = [str(job.python), "-m", "bentoml", "serve", service, "--host", HOST, "--port", str(job.port)]
    environment = {
        "MODEL_PATH": str(job.model.path),
        "PYTHONPATH": f"{ROOT}:{Path(__file__).parent / 'without_gpu'}",
        "BENTOML_HOME": str(job.scratch),
        "BENTOML_DO_NOT_TRACK": "true",
    }
    return Command([*argv, "--working-dir", str(job.scratch)], environment, job.scratch)


def request(model: Model, form: str) -> Request:
    if form == "json":
        return Request("/json", as_json({"x": model.sample}), {"Content-Type": JSON_TYPE})
    return Request("/binary", model.sample.tobytes(), {"Content-Type": BINARY_TYPE})


def answer(response: Response) -> Array:
    if response.headers["content-type"].startswith(JSON_TYPE):
        return np.array(json.loads(response.body), np.float32).ravel()
    return np.frombuffer(response.body, np.float32)
