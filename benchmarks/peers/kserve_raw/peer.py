"""KServe's Python SDK as `kserve` has it, but asked on a way that its documentation does not describe.

What its V1 endpoint takes for neither JSON nor a CloudEvent goes to the model unread: raw float32 bytes, both ways. Its
documented binary tensors become Python lists before the model sees them, which costs an image some 40 ms.
"""

from __future__ import annotations

import numpy as np

from benchmarks.models import Array, Model
from benchmarks.peers.kserve.peer import PACKAGE, start
from benchmarks.wire import JSON_TYPE, Request, Response, oip, oip_answer

__all__ = ["DOCUMENTED", "ENCODINGS", "PACKAGE", "answer", "request", "start"]

DOCUMENTED = False
RAW_TYPE = "application/x-float32"  # application/octet-stream is JSON to its V1 endpoint
ENCODINGS = {
    "json": "Open Inference Protocol v2, numbers in JSON",
    "binary": "raw float32 bytes on its V1 endpoint, both ways",
}


def request(model: Model, form: str) -> Request:
    if form == "json":
        return oip("model", model.sample, "json")
    return Request("/v1/models/model:predict", model.sample.tobytes(), {"Content-Type": RAW_TYPE})


def answer(response: Response) -> Array:
    if response.headers.get("content-type", "").startswith(JSON_TYPE):
        return oip_answer(response)
    return np.frombuffer(response.body, np.float32)
