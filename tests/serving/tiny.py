"""Artifacts too small to matter, one a format: y = 2x + 1. `python -m tests.serving.tiny FORMAT FOLDER` makes one."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import formats
from serving.reference.artifact import Manifest, Tensor, digests, write
from serving.reference.datatypes import NUMPY

INPUTS = (Tensor("x", "float32", ("batch", 4)),)
OUTPUTS = (Tensor("y", "float32", ("batch", 4)),)


def name(form: str) -> str:
    """The name under which the artifact of that format is served."""
    model = "null" if form == "null" else "tiny"
    return f"{model}-{framework(form)}-{form}-fp32"


def framework(form: str) -> str:
    """The first of those it is exported from."""
    return "none" if form == "null" else formats.load(form).FRAMEWORKS[0]


def lacks(form: str) -> str | None:
    """Why there is no artifact of that format; None where one can be made."""
    if form not in MAKERS:
        return f"no tiny artifact of {form}: add a function that makes it to tests/serving/tiny.py and to its MAKERS"
    if form == "aot_inductor" and shutil.which("g++") is None:
        return "no g++ to compile an AOTInductor package with"
    if form == "executorch":
        return formats.missing(form)  # an extra: neither its exporter nor its runtime is here
    return None


def seal(
    folder: Path, form: str, entry: str, inputs: tuple[Tensor, ...] = INPUTS, outputs: tuple[Tensor, ...] = OUTPUTS
) -> Path:
    """Write the manifest of what is in `folder`."""
    manifest = Manifest(
        "tiny", framework(form), form, "fp32", entry, inputs, outputs, digests(folder), versions={}, export_s=0.0
    )
    write(folder, manifest)
    return folder


def onnx(folder: Path) -> Path:
    from onnx import TensorProto, helper

    nodes = [helper.make_node("Mul", ["x", "two"], ["doubled"]), helper.make_node("Add", ["doubled", "one"], ["y"])]
    constants = [helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("two", 2.0), ("one", 1.0))]
    save_onnx(folder, nodes, INPUTS, OUTPUTS, constants)
    return seal(folder, "onnx", "model.onnx")


def onnx_echo(folder: Path) -> Path:
    """Echoes one tensor of each datatype, `in_FP32` as `out_FP32`; all share the axis `n`."""
    from onnx import helper

    inputs = tuple(Tensor(f"in_{wire}", dtype, ("n",)) for wire, dtype in NUMPY.items())
    outputs = tuple(Tensor(f"out_{wire}", dtype, ("n",)) for wire, dtype in NUMPY.items())
    nodes = [helper.make_node("Identity", [f"in_{wire}"], [f"out_{wire}"]) for wire in NUMPY]
    save_onnx(folder, nodes, inputs, outputs, [])
    return seal(folder, "onnx", "model.onnx", inputs, outputs)


def openvino(folder: Path) -> Path:
    import openvino

    with tempfile.TemporaryDirectory() as made:
        onnx(Path(made))
        model = openvino.Core().read_model(Path(made, "model.onnx"))
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
    return seal(folder, "openvino", "model.xml")


def torchscript(folder: Path) -> Path:
    import torch

    torch.jit.trace(_torch_module(), torch.zeros(1, 4)).save(str(folder / "model.pt"))
    return seal(folder, "torchscript", "model.pt")


def torchscript_script(folder: Path) -> Path:
    import torch

    torch.jit.script(_torch_module()).save(str(folder / "model.pt"))
    return seal(folder, "torchscript_script", "model.pt")


def torch_export(folder: Path) -> Path:
    import torch

    torch.export.save(_torch_program(), folder / "model.pt2")
    return seal(folder, "torch_export", "model.pt2")


def aot_inductor(folder: Path) -> Path:
    compile_native(_torch_program(), folder / "model.pt2")
    return seal(folder, "aot_inductor", "model.pt2")


def executorch(folder: Path) -> Path:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    lowered = to_edge_transform_and_lower(_torch_program(), partitioner=[XnnpackPartitioner()])
    (folder / "model.pte").write_bytes(lowered.to_executorch().buffer)
    return seal(folder, "executorch", "model.pte")


def savedmodel(folder: Path) -> Path:
    _save_tensorflow(folder / "model")
    return seal(folder, "savedmodel", "model")


def savedmodel_xla(folder: Path) -> Path:
    _save_tensorflow(folder / "model", compiled=True)
    return seal(folder, "savedmodel_xla", "model")


def tflite(folder: Path) -> Path:
    _save_flatbuffer(folder)
    return seal(folder, "tflite", "model.tflite")


def litert(folder: Path) -> Path:
    """The same flatbuffer: to a server, the two formats differ in name."""
    _save_flatbuffer(folder)
    return seal(folder, "litert", "model.tflite")


def _save_flatbuffer(folder: Path) -> None:
    import tensorflow as tf

    _save_tensorflow(folder / "model")
    (folder / "model.tflite").write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(folder / "model")).convert())
    shutil.rmtree(folder / "model")


def null(folder: Path) -> Path:
    from serving.reference.runtimes import null as runtime

    # The right answer to one request, that of `client.probe`.
    runtime.write(folder, INPUTS, OUTPUTS, {"y": 2 * np.arange(4, dtype=np.float32) + 1})
    return folder


def save_onnx(
    folder: Path, nodes: list[Any], inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], constants: list[Any]
) -> None:
    """Write `model.onnx`."""
    import onnx
    from onnx import helper

    def info(tensor: Tensor) -> Any:
        element = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
        return helper.make_tensor_value_info(tensor.name, element, tensor.shape)

    graph = helper.make_graph(nodes, "tiny", [info(t) for t in inputs], [info(t) for t in outputs], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, str(folder / "model.onnx"))


def compile_native(program: Any, path: Path) -> None:
    """An AOTInductor package of an exported program; needs a C++ compiler."""
    import torch

    # Otherwise the number of threads of this machine is compiled into it.
    configs = {"cpp.dynamic_threads": True}
    torch._inductor.aoti_compile_and_package(program, package_path=str(path), inductor_configs=configs)


def _torch_module() -> Any:
    import torch

    class Tiny(torch.nn.Module):  # type: ignore[misc]
        # Without annotations, which TorchScript would read: to it `Any` is no tensor.
        def forward(self, x):  # type: ignore[no-untyped-def]
            return x * 2 + 1

    return Tiny()


def _torch_program() -> Any:
    import torch

    batch = torch.export.Dim("batch", min=1, max=1024)
    # Not an example of batch 1, which torch.export takes for a constant.
    return torch.export.export(_torch_module(), (torch.zeros(3, 4),), dynamic_shapes=({0: batch},))


def _save_tensorflow(folder: Path, compiled: bool = False) -> None:
    import tensorflow as tf

    module, signature = tf.Module(), [tf.TensorSpec([None, 4], tf.float32, name="x")]
    module.serve = tf.function(lambda x: {"y": x * 2 + 1}, input_signature=signature, jit_compile=compiled or None)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})


MAKERS: dict[str, Callable[[Path], Path]] = {
    "onnx": onnx,
    "openvino": openvino,
    "torchscript": torchscript,
    "torchscript_script": torchscript_script,
    "torch_export": torch_export,
    "aot_inductor": aot_inductor,
    "executorch": executorch,
    "litert": litert,
    "savedmodel": savedmodel,
    "savedmodel_xla": savedmodel_xla,
    "tflite": tflite,
    "null": null,
}

if __name__ == "__main__":
    MAKERS[sys.argv[1]](Path(sys.argv[2]))
