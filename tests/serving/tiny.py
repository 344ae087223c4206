"""Artifacts too small to matter, one a format: y = 2x + 1. `python -m tests.serving.tiny FORMAT FOLDER` makes one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from serving.reference.artifact import Manifest, Tensor, digests, write
from serving.reference.datatypes import NUMPY

FRAMEWORKS = {"onnx": "torch", "torchscript": "torch", "savedmodel": "tensorflow", "tflite": "tensorflow"}
SIDE = (Tensor("x", "float32", ("batch", 4)),)


def name(form: str) -> str:
    """The name under which the artifact of that format is served."""
    return f"tiny-{FRAMEWORKS[form]}-{form}-fp32"


def seal(folder: Path, form: str, entry: str, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Path:
    """Write the manifest of what is in `folder`."""
    manifest = Manifest(
        "tiny", FRAMEWORKS[form], form, "fp32", entry, inputs, outputs, digests(folder), versions={}, export_s=0.0
    )
    write(folder, manifest)
    return folder


def onnx(folder: Path) -> Path:
    from onnx import TensorProto, helper

    nodes = [helper.make_node("Mul", ["x", "two"], ["doubled"]), helper.make_node("Add", ["doubled", "one"], ["y"])]
    constants = [helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("two", 2.0), ("one", 1.0))]
    _save_onnx(folder, nodes, SIDE, (Tensor("y", "float32", ("batch", 4)),), constants)
    return seal(folder, "onnx", "model.onnx", SIDE, (Tensor("y", "float32", ("batch", 4)),))


def onnx_echo(folder: Path) -> Path:
    """Echoes one tensor of each datatype, `in_FP32` as `out_FP32`; all share the axis `n`."""
    from onnx import helper

    inputs = tuple(Tensor(f"in_{wire}", dtype, ("n",)) for wire, dtype in NUMPY.items())
    outputs = tuple(Tensor(f"out_{wire}", dtype, ("n",)) for wire, dtype in NUMPY.items())
    nodes = [helper.make_node("Identity", [f"in_{wire}"], [f"out_{wire}"]) for wire in NUMPY]
    _save_onnx(folder, nodes, inputs, outputs, [])
    return seal(folder, "onnx", "model.onnx", inputs, outputs)


def torchscript(folder: Path) -> Path:
    import torch

    class Tiny(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return x * 2 + 1

    torch.jit.trace(Tiny(), torch.zeros(1, 4)).save(str(folder / "model.pt"))
    return seal(folder, "torchscript", "model.pt", SIDE, (Tensor("y", "float32", ("batch", 4)),))


def savedmodel(folder: Path) -> Path:
    _save_tensorflow(folder / "model")
    return seal(folder, "savedmodel", "model", SIDE, (Tensor("y", "float32", ("batch", 4)),))


def tflite(folder: Path) -> Path:
    import shutil

    import tensorflow as tf

    _save_tensorflow(folder / "model")
    (folder / "model.tflite").write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(folder / "model")).convert())
    shutil.rmtree(folder / "model")
    return seal(folder, "tflite", "model.tflite", SIDE, (Tensor("y", "float32", ("batch", 4)),))


def _save_onnx(
    folder: Path, nodes: list[Any], inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], constants: list[Any]
) -> None:
    import numpy as np
    import onnx
    from onnx import helper

    def info(tensor: Tensor) -> Any:
        element = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
        return helper.make_tensor_value_info(tensor.name, element, tensor.shape)

    graph = helper.make_graph(nodes, "tiny", [info(t) for t in inputs], [info(t) for t in outputs], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, str(folder / "model.onnx"))


def _save_tensorflow(folder: Path) -> None:
    import tensorflow as tf

    class Tiny(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])  # type: ignore[untyped-decorator]
        def serve(self, x: Any) -> dict[str, Any]:
            return {"y": x * 2 + 1}

    module = Tiny()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})


if __name__ == "__main__":
    makers = {"onnx": onnx, "torchscript": torchscript, "savedmodel": savedmodel, "tflite": tflite}
    makers[sys.argv[1]](Path(sys.argv[2]))
