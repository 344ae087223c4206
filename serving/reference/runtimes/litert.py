"""LiteRT: .tflite files on XNNPACK, its default on CPUs. https://ai.google.dev/edge/litert"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from serving.reference.artifact import ArtifactError, Manifest
from serving.reference.runtimes import NUMBERS, Arrays, check_tensors

DTYPES = NUMBERS


class LiteRT:
    """An interpreter whose tensors are bound by the names of the file's signature.

    The signature runner of the library resizes and plans its memory anew in each call; here that is done only when a
    shape changed, as an application would.

    Copies: each input once, into the interpreter, and each output once, out of it; both hold the arena of its plan.
    """

    def __init__(self, interpreter: Any, inputs: dict[str, int], outputs: dict[str, int]) -> None:
        self._interpreter = interpreter
        self._inputs = inputs
        self._outputs = outputs
        self._shapes: dict[str, tuple[int, ...]] = {}

    def infer(self, inputs: Arrays) -> Arrays:
        """Outputs by name, copied out of the interpreter."""
        shapes = {name: array.shape for name, array in inputs.items()}
        if shapes != self._shapes:
            self._resize(shapes)
        for name, index in self._inputs.items():
            self._interpreter.set_tensor(index, inputs[name])
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}

    def _resize(self, shapes: dict[str, tuple[int, ...]]) -> None:
        self._shapes = {}  # where the planning fails, the next call must not believe in the old plan
        for name, index in self._inputs.items():
            self._interpreter.resize_tensor_input(index, shapes[name])
        self._interpreter.allocate_tensors()
        self._shapes = shapes


def load(path: Path, manifest: Manifest, threads: int) -> LiteRT:
    """Open a .tflite file; raises `ArtifactError` where it has no single signature, or other tensors."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    signatures = list(interpreter.get_signature_list())
    if len(signatures) != 1:  # tensors are addressed in the primary subgraph, which is the single signature's
        raise ArtifactError(f"{path}: expected one signature, found {signatures}")
    runner = interpreter.get_signature_runner(signatures[0])
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    check_tensors("input", manifest.inputs, _dtypes(inputs))
    check_tensors("output", manifest.outputs, _dtypes(outputs))
    return LiteRT(
        interpreter,
        {tensor.name: inputs[tensor.name]["index"] for tensor in manifest.inputs},
        {tensor.name: outputs[tensor.name]["index"] for tensor in manifest.outputs},
    )


def version() -> str:
    """The library's version."""
    import ai_edge_litert

    return str(ai_edge_litert.__version__)


def _dtypes(details: dict[str, Any]) -> dict[str, str]:
    return {name: np.dtype(detail["dtype"]).name for name, detail in details.items()}
