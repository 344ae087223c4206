"""`python -m benchmarks.peers.ray.server PORT TEMPORARY_FOLDER`; runs in Ray's environment."""

from __future__ import annotations

import sys

import numpy as np
import orjson
import ray
from ray import serve
from ray.serve.schema import LoggingConfig
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.peers.session import Session

MAX_ONGOING_REQUESTS = 100  # the default of 5 would let requests of 8 connections wait in the proxy


class Onnx:
    def __init__(self) -> None:
        self._model = Session()

    async def __call__(self, request: Request) -> Response:
        body = await request.body()
        if request.headers["content-type"] == "application/json":
            y = self._model.run(np.array(orjson.loads(body)["x"], np.float32))
            return Response(orjson.dumps({"y": y}, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
        return Response(self._model.run_bytes(body), media_type="application/octet-stream")


if __name__ == "__main__":
    port, folder = sys.argv[1:]
    quiet = LoggingConfig(log_level="WARNING", enable_access_log=False)
    ray.init(
        num_cpus=1,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=folder,
        object_store_memory=100 * 1024 * 1024,
    )
    deployment = serve.deployment(Onnx, num_replicas=1, max_ongoing_requests=MAX_ONGOING_REQUESTS)
    serve.start(http_options={"host": "127.0.0.1", "port": int(port)}, logging_config=quiet)
    serve.run(deployment.bind(), logging_config=quiet, blocking=True)
