"""Artifacts with enough arithmetic to keep every thread of a runtime busy: eight 512 × 512 matrices in a row."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from serving.reference.artifact import Tensor
from tests.serving import tiny

WIDTH, DEPTH = 512, 8
INPUTS = (Tensor("x", "float32", ("batch", WIDTH)),)
OUTPUTS = (Tensor("y", "float32", ("batch", WIDTH)),)
TORCH = [("torchscript", "libtorch"), ("torch_export", "libtorch"), ("aot_inductor", "libtorch")]
TF = [("savedmodel", "tensorflow"), ("tflite", "litert")]


def make(form: str, folder: Path) -> None:
    """Write the artifact of a format."""
    entry = {"onnx": _onnx, "savedmodel": _savedmodel, "tflite": _tflite}.get(form, _torch)(form, folder)
    tiny.seal(folder, form, entry, INPUTS, OUTPUTS)


def _matrix() -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).random((WIDTH, WIDTH), np.float32) / WIDTH


def _onnx(form: str, folder: Path) -> str:  # noqa: ARG001
    from onnx import helper, numpy_helper

    names = ["x", *(f"h{index}" for index in range(1, DEPTH)), "y"]
    nodes = [helper.make_node("MatMul", [names[i], "w"], [names[i + 1]]) for i in range(DEPTH)]
    tiny.save_onnx(folder, nodes, INPUTS, OUTPUTS, [numpy_helper.from_array(_matrix(), "w")])
    return "model.onnx"


def _torch(form: str, folder: Path) -> str:
    import torch

    class Wide(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("matrix", torch.from_numpy(_matrix()))

        def forward(self, x: Any) -> Any:
            for _ in range(DEPTH):
                x = torch.relu(x @ self.matrix)
            return x

    example = torch.zeros(3, WIDTH)
    if form == "torchscript":
        torch.jit.trace(Wide(), example).save(str(folder / "model.pt"))
        return "model.pt"
    program = torch.export.export(Wide(), (example,), dynamic_shapes=({0: torch.export.Dim("batch", max=1024)},))
    if form == "torch_export":
        torch.export.save(program, folder / "model.pt2")
    else:
        tiny.compile_native(program, folder / "model.pt2")
    return "model.pt2"


def _savedmodel(form: str, folder: Path) -> str:  # noqa: ARG001
    import tensorflow as tf

    matrix = tf.constant(_matrix())

    @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def serve(x: Any) -> dict[str, Any]:
        for _ in range(DEPTH):
            x = tf.matmul(x, matrix)
        return {"y": x}

    tf.saved_model.save(tf.Module(), str(folder / "model"), signatures={"serving_default": serve})
    return "model"


def _tflite(form: str, folder: Path) -> str:
    import tensorflow as tf

    content = tf.lite.TFLiteConverter.from_saved_model(str(folder / _savedmodel(form, folder))).convert()
    (folder / "model.tflite").write_bytes(content)
    shutil.rmtree(folder / "model")
    return "model.tflite"
