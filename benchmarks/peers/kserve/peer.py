"""KServe's Python SDK: a custom `Model` over ONNX Runtime in its `ModelServer`.

- `--workers 1`, `--enable_grpc false`: one process, which serves HTTP only.
- `--enable_latency_logging false`, `--configure_logging false`: no line a request, neither latencies nor accesses.
- `--event-loop uvloop`; httptools and orjson are installed, and it uses them.
- It has no switch for its timing middleware and its Prometheus histograms.
"""

from __future__ import annotations

from benchmarks.models import Array, Model
from benchmarks.peers.contract import Job
from benchmarks.pinned import Command
from benchmarks.wire import Request, Response, oip, oip_answer

PACKAGE = "kserve"
ENCODINGS = {
    "json": "Open Inference Protocol v2, numbers in JSON",
    "binary": "Open Inference Protocol v2 with binary tensors, both ways",
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
    return oip("model", model.sample, form)


def answer(response: Response) -> Array:
    return oip_answer(response)
