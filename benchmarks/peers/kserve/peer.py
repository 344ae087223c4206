"""KServe's Python SDK: a custom `Model` over ONNX Runtime in its `ModelServer`.

- `--workers 1`, `--enable_grpc false`: one process, which serves HTTP only.
- `--enable_latency_logging false`, `--configure_logging false`: no line a request, neither latencies nor accesses.
- `--event-loop uvloop`; httptools and orjson are installed, and it uses them.
- It has no switch for its timing middleware and its Prometheus histograms.
"""

from __future__ import annotations

import numpy as np

from benchmarks.models import Array, Model
from benchmarks.peers.contract import Job
from benchmarks.pinned import Command
from benchmarks.wire import JSON_TYPE, Request, Response, oip, oip_answer

PACKAGE = "kserve"
RAW_TYPE = "application/x-float32"  # application/octet-stream is JSON to its V1 endpoint
ENCODINGS = {
    "json": "Open Inference Protocol v2, numbers in JSON",
    # It has the protocol's binary tensors too, but turns them into Python lists before the model sees them, which
    # costs an image some 40 ms. What its V1 endpoint takes for neither JSON nor a CloudEvent goes to the model unread.
    "binary": "raw float32 bytes both ways on its V1 endpoint (its OIP binary tensors are far slower for images)",
}


def start(job: Job) -> Command:
    flags = {
        "--http_port": str(job.port),
        "--workers": "1",
        "--enable_grpc": "false",
        "--enable_latency_logging": "false",
        "--configure_logging": "false",
        "--event-loop": "uvloop",
    }
    argv = [str(job.python), "-m", "benchmarks.peers.kserve.server", *(word for pair in flags.items() for word in pair)]
    return Command(argv, {"MODEL_PATH": str(job.model.path)}, job.scratch)


def request(model: Model, form: str) -> Request:
    if form == "json":
        return oip("model", model.sample, "json")
    return Request("/v1/models/model:predict", model.sample.tobytes(), {"Content-Type": RAW_TYPE})


def answer(response: Response) -> Array:
    if response.headers.get("content-type", "").startswith(JSON_TYPE):
        return oip_answer(response)
    return np.frombuffer(response.body, np.float32)
