"""`python -m benchmarks.peers.litserve.server PORT`; runs in LitServe's environment."""

# No `from __future__ import annotations`: LitServe reads the annotations of decode_request at run time.
import sys
from typing import Annotated, Any

import litserve
import numpy as np
from fastapi import Body, Request, Response

from benchmarks.peers.session import Session


class Json(litserve.LitAPI):  # type: ignore[misc]
    def setup(self, device: str) -> None:  # noqa: ARG002
        self._model = Session()

    # `Request` tells LitServe to parse JSON; what arrives here is the parsed object.
    def decode_request(self, request: Request) -> Any:
        return np.array(request["x"], np.float32)

    def predict(self, x: Any) -> Any:
        return self._model.run(x)

    def encode_response(self, output: Any) -> dict[str, Any]:
        return {"y": output.tolist()}


class Binary(litserve.LitAPI):  # type: ignore[misc]
    def setup(self, device: str) -> None:  # noqa: ARG002
        self._model = Session()

    def decode_request(self, request: Annotated[bytes, Body(media_type="application/octet-stream")]) -> bytes:
        return request

    def predict(self, x: bytes) -> bytes:
        return self._model.run_bytes(x)

    def encode_response(self, output: bytes) -> Response:
        return Response(output, media_type="application/octet-stream")


if __name__ == "__main__":
    server = litserve.LitServer(
        [Json(api_path="/json"), Binary(api_path="/binary")],
        accelerator="cpu",
        devices=1,
        workers_per_device=1,
        timeout=False,
        fast_queue=True,
        disable_openapi_url=True,
    )
    server.run("127.0.0.1", int(sys.argv[1]), 1, "warning", generate_client_file=False, access_log=False)
