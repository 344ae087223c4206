"""ONNX Runtime: .onnx files on its CPU execution provider. https://onnxruntime.ai/docs/api/python"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from serving.reference.artifact import Manifest
from serving.reference.runtimes import NUMBERS, Arrays, InvalidInput, check_tensors

DTYPES = NUMBERS | {"object"}

_NUMPY = {f"tensor({name})": name for name in NUMBERS} | {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(string)": "object",
}
"""NumPy's dtype name by ONNX Runtime's type."""


class OnnxRuntime:
    """One inference session.

    Copies: none of numeric inputs, which are read where they lie; outputs are copied once, into arrays of their own.
    Text is copied both ways, as ONNX Runtime takes and gives `str`.
    """

    def __init__(self, session: Any, manifest: Manifest, options: Any) -> None:
        self._session = session
        self._options = options
        # Not the wrapper's, which checks again what was checked: 1.6 µs of a small model's 6.
        self._run = session._sess.run
        self._outputs = [tensor.name for tensor in manifest.outputs]
        self._text_inputs = [tensor.name for tensor in manifest.inputs if tensor.dtype == "object"]
        self._text_outputs = [tensor.name for tensor in manifest.outputs if tensor.dtype == "object"]

    def infer(self, inputs: Arrays) -> Arrays:
        """Outputs by name; raises `InvalidInput` for bytes that are not UTF-8."""
        if self._text_inputs:
            inputs = inputs | {name: _decoded(name, inputs[name]) for name in self._text_inputs}
        outputs = dict(zip(self._outputs, self._run(self._outputs, inputs, self._options), strict=True))
        for name in self._text_outputs:
            outputs[name] = _mapped(outputs[name], str.encode)
        return outputs


def load(path: Path, manifest: Manifest, threads: int) -> OnnxRuntime:
    """Open an ONNX file; raises `ArtifactError` where its tensors are not the manifest's.

    With more than one thread its pool spins while idle for a moment, which is the library's default and left so.
    """
    onnxruntime = _library()
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is in the answer, and stderr is ours
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    check_tensors("input", manifest.inputs, _dtypes(session.get_inputs()))
    check_tensors("output", manifest.outputs, _dtypes(session.get_outputs()))
    return OnnxRuntime(session, manifest, onnxruntime.RunOptions())  # made anew for each call it takes 0.8 µs


def version() -> str:
    """The library's version."""
    return str(_library().__version__)


def _library() -> Any:
    # Read at import: otherwise that starts a thread, and on a read-only file system warns about its identity file.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def _dtypes(nodes: Any) -> dict[str, str]:
    return {node.name: _NUMPY.get(node.type, node.type) for node in nodes}


def _decoded(name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    try:
        return _mapped(array, bytes.decode)
    except UnicodeDecodeError as exc:
        raise InvalidInput(f"input {name!r}: onnxruntime takes UTF-8 text only: {exc}") from exc


def _mapped(array: np.ndarray[Any, Any], function: Any) -> np.ndarray[Any, Any]:
    mapped = np.empty(array.shape, object)
    mapped.reshape(-1)[:] = [function(element) for element in array.reshape(-1)]
    return mapped
