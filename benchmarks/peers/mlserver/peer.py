"""MLServer with a custom runtime over ONNX Runtime, `mlserver start`.

- `parallel_workers: 0`: inference in the server's own process. Its documentation advises a worker process for
  parallelism over cores; on one core the hop through its queues only costs.
- `debug: false` turns the access log off; metrics and gzip are off; no tracing.
- uvloop, httptools and orjson are installed, and it uses them when they are.
"""

from __future__ import annotations

import base64
import json

import numpy as np

from benchmarks.models import INPUT, Array, Model
from benchmarks.peers.contract import Job
from benchmarks.pinned import Command
from benchmarks.wire import JSON_TYPE, Request, Response, as_json, oip
from serving.engines.launch import HOST, free_port

PACKAGE = "mlserver"
ENCODINGS = {
    "json": "Open Inference Protocol v2, numbers in JSON",
    # Its REST server does not implement the protocol's binary tensor data extension (its gRPC server takes raw bytes,
    # but then the client would be another one). Of the content types it documents, base64 costs least.
    "binary": "Open Inference Protocol v2, the tensor as base64 (its REST server has no binary tensors)",
}


def start(job: Job) -> Command:
    settings = {
        "host": HOST,
        "http_port": job.port,
        "grpc_port": free_port(),
        "debug": False,
        "parallel_workers": 0,
        "metrics_endpoint": None,
        "gzip_enabled": False,
        "use_structured_logging": False,
    }
    model = {"name": "model", "implementation": "benchmarks.peers.mlserver.server.Onnx"}
    (job.scratch / "settings.json").write_text(json.dumps(settings))
    (job.scratch / "model-settings.json").write_text(json.dumps(model))
    argv = [str(job.python), "-m", "mlserver.cli.main", "start", str(job.scratch)]
    return Command(argv, {"MODEL_PATH": str(job.model.path)}, job.scratch)


def request(model: Model, form: str) -> Request:
    if form == "json":
        return oip("model", model.sample, "json")
    tensor = {
        "name": INPUT,
        "shape": [1, 1],
        "datatype": "BYTES",
        "parameters": {"content_type": "base64"},
        "data": [base64.b64encode(model.sample.tobytes()).decode()],
    }
    return Request("/v2/models/model/infer", as_json({"inputs": [tensor]}), {"Content-Type": JSON_TYPE})


def answer(response: Response) -> Array:
    return np.array(json.loads(response.body)["outputs"][0]["data"], np.float32).ravel()
