"""ONNX Runtime: .onnx files on its CPU execution provider. https://onnxruntime.ai/docs/api/python"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from serving.reference.artifact import Manifest
from serving.reference.runtimes import Arrays, check_names


class OnnxRuntime:
    """One inference session."""

    def __init__(self, session: Any, manifest: Manifest) -> None:
        self._session = session
        self._outputs = [tensor.name for tensor in manifest.outputs]

    def infer(self, inputs: Arrays) -> Arrays:
        """Outputs by name; inputs are read where they lie, outputs are ONNX Runtime's own arrays."""
        return dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))


def load(path: Path, manifest: Manifest, threads: int) -> OnnxRuntime:
    """Open an ONNX file; raises `ArtifactError` where its tensor names are not the manifest's."""
    # Read at import: otherwise a read-only file system brings a warning about its identity file.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    check_names("input", manifest.inputs, [node.name for node in session.get_inputs()])
    check_names("output", manifest.outputs, [node.name for node in session.get_outputs()])
    return OnnxRuntime(session, manifest)


def version() -> str:
    """The library's version."""
    import onnxruntime

    return str(onnxruntime.__version__)
