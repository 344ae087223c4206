"""The custom handler that TorchServe loads; runs in TorchServe's environment."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers.session import Session


class Onnx:
    def initialize(self, context: Any) -> None:  # noqa: ARG002
        self._model = Session()

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[Any]:
        answers: list[Any] = []
        for index, item in enumerate(data):
            body = item["body"]
            if isinstance(body, dict):
                context.set_response_content_type(index, "application/json")
                answers.append({"y": self._model.run(np.array(body["x"], np.float32)).tolist()})
            else:
                context.set_response_content_type(index, "application/octet-stream")
                answers.append(self._model.run_bytes(bytes(body)))
        return answers
