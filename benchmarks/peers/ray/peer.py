"""Ray Serve: one deployment over ONNX Runtime.

- One replica behind one proxy; a Ray node has its own daemons besides, on the same core.
- `RAY_SERVE_THROUGHPUT_OPTIMIZED=1`, its documented setting for throughput: user code on the replica's event loop,
  gRPC instead of actor calls, buffered logs.
- `RAY_SERVE_ENABLE_HA_PROXY=1`: the HAProxy that it ships takes the place of its Python proxy, and replicas take HTTP
  themselves. Many times as fast as without, on one core.
- Access log off, log level WARNING, no dashboard, no usage statistics.
- uvloop and httptools are installed, and its uvicorn uses them.
"""

from __future__ import annotations

import json

import numpy as np

from benchmarks.models import Array, Model
from benchmarks.peers.contract import Job
from benchmarks.pinned import Command
from benchmarks.wire import BINARY_TYPE, JSON_TYPE, Request, Response, as_json

PACKAGE = "ray"
ENCODINGS = {
    "json": "a JSON object with the numbers",
    "binary": "raw float32 bytes both ways: the deployment reads the request's body itself",
}

# Otherwise below /tmp, where they stay.
_HAPROXY_FILES = {
    "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": "haproxy.cfg",
    "RAY_SERVE_HAPROXY_SOCKET_PATH": "admin.sock",
    "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": "state",
    "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": "state/server-state",
    "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": "metrics.sock",
}


def start(job: Job) -> Command:
    argv = [str(job.python), "-m", "benchmarks.peers.ray.server", str(job.port), str(job.scratch)]
    environment = {
        "MODEL_PATH": str(job.model.path),
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        **{name: str(job.scratch / file) for name, file in _HAPROXY_FILES.items()},
    }
    return Command(argv, environment, job.scratch)


def request(model: Model, form: str) -> Request:
    if form == "json":
        return Request("/", as_json({"x": model.sample}), {"Content-Type": JSON_TYPE})
    return Request("/", model.sample.tobytes(), {"Content-Type": BINARY_TYPE})


def answer(response: Response) -> Array:
    if response.headers["content-type"].startswith(JSON_TYPE):
        return np.array(json.loads(response.body)["y"], np.float32).ravel()
    return np.frombuffer(response.body, np.float32)
