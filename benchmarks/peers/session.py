"""The model as every peer that runs Python code holds it: the same runtime with the same options.

Runs in the peers' environments, which have ONNX Runtime and NumPy but nothing of this project's own.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import onnxruntime


class Session:
    """The ONNX file of `MODEL_PATH` on one thread."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        path = os.environ["MODEL_PATH"]
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._shape = [1 if isinstance(size, str) else size for size in self._session.get_inputs()[0].shape]

    def run(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The output for a float32 array."""
        output: np.ndarray[Any, Any] = self._session.run(["y"], {"x": x})[0]
        return output

    def run_bytes(self, body: bytes) -> bytes:
        """The output for one item's little-endian float32 values, as such values; the input is read where it lies."""
        return self.run(np.frombuffer(body, np.float32).reshape(self._shape)).tobytes()
