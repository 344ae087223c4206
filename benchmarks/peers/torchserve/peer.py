"""TorchServe with a custom handler over ONNX Runtime, its Java frontend and one Python worker.

- `default_workers_per_model=1`, one Netty thread; no batching.
- Access log and all other logs are off from level WARN down, system metrics and the metrics API are off, and no
  tokens are asked for.
- The model is a folder in the model store (`no-archive`), so that starting it does not unpack an archive.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from benchmarks.errors import Missing
from benchmarks.models import Array, Model
from benchmarks.peers.contract import Job
from benchmarks.pinned import Command
from benchmarks.wire import BINARY_TYPE, JSON_TYPE, Request, Response, as_json
from serving.engines.launch import HOST, free_port

PACKAGE = "torchserve"
ENCODINGS = {
    "json": "a JSON object with the numbers",
    "binary": "raw float32 bytes both ways: any body that is not JSON reaches the handler as it is",
}

_SETTINGS = """\
inference_address=http://{host}:{port}
management_address=http://{host}:{management}
metrics_address=http://{host}:{metrics}
grpc_inference_port={grpc}
grpc_management_port={grpc_management}
model_store={store}
load_models=model
default_workers_per_model=1
number_of_netty_threads=1
netty_client_threads=1
job_queue_size=1000
enable_metrics_api=false
disable_system_metrics=true
disable_token_authorization=true
"""
_LOGGING = """\
<Configuration status="ERROR">
  <Appenders><Console name="console"><PatternLayout pattern="%d %p %m%n"/></Console></Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="console"/></Root>
    <Logger name="ACCESS_LOG" level="OFF"/>
    <Logger name="TS_METRICS" level="OFF"/>
    <Logger name="MODEL_METRICS" level="OFF"/>
    <Logger name="MODEL_LOG" level="WARN"/>
  </Loggers>
</Configuration>
"""
_MANIFEST = {
    "runtime": "python",
    "archiverVersion": "0.12.0",
    "model": {"modelName": "model", "handler": "handler.py", "modelVersion": "1.0"},
}


def start(job: Job) -> Command:
    if not shutil.which("java"):
        raise Missing("TorchServe needs Java: apt-get install openjdk-17-jre-headless")
    _write(job)
    argv = [str(job.python), "-m", "ts.model_server", "--start", "--foreground", "--disable-token-auth"]
    options = ["--ts-config", "config.properties", "--log-config", str(job.scratch / "log4j2.xml")]
    environment = {"MODEL_PATH": str(job.model.path), "LOG_LOCATION": "logs", "METRICS_LOCATION": "logs"}
    # Its worker is started as `python` of the PATH.
    environment["PATH"] = f"{job.python.parent}:/usr/bin:/bin"
    return Command([*argv, *options], environment, job.scratch)


def _write(job: Job) -> None:
    model = job.scratch / "store" / "model"
    (model / "MAR-INF").mkdir(parents=True)
    (model / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(_MANIFEST))
    shutil.copy(Path(__file__).with_name("handler.py"), model)
    names = ("management", "metrics", "grpc", "grpc_management")
    ports = {name: free_port() for name in names}
    settings = _SETTINGS.format(host=HOST, port=job.port, store=job.scratch / "store", **ports)
    (job.scratch / "config.properties").write_text(settings)
    (job.scratch / "log4j2.xml").write_text(_LOGGING)


def request(model: Model, form: str) -> Request:
    if form == "json":
        return Request("/predictions/model", as_json({"x": model.sample}), {"Content-Type": JSON_TYPE})
    return Request("/predictions/model", model.sample.tobytes(), {"Content-Type": BINARY_TYPE})


def answer(response: Response) -> Array:
    if response.headers.get("content-type", "").startswith(JSON_TYPE):
        return np.array(json.loads(response.body)["y"], np.float32).ravel()
    return np.frombuffer(response.body, np.float32)
