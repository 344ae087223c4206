"""Artifacts that echo tensors of any datatypes, `in_float32` as `out_float32`; all share the axis `n`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serving.reference.artifact import Tensor
from tests.serving import tiny

Array = np.ndarray[Any, Any]


def sample(dtype: str) -> Array:
    """Three values of a dtype, its extremes among them."""
    kind = np.dtype(dtype).kind
    if kind == "O":
        values: list[Any] = [b"", "grün".encode(), b"a\0b"]
    elif kind == "b":
        values = [True, False, True]
    elif kind == "f":
        values = [-0.5, 0.0, np.finfo(dtype).max]
    else:
        values = [np.iinfo(dtype).min, 1, np.iinfo(dtype).max]
    return np.array(values, dtype)


def make(form: str, folder: Path, dtypes: Sequence[str]) -> Path:
    """The echo of those dtypes in one format."""
    inputs = tuple(Tensor(f"in_{dtype}", dtype, ("n",)) for dtype in dtypes)
    outputs = tuple(Tensor(f"out_{dtype}", dtype, ("n",)) for dtype in dtypes)
    return tiny.seal(folder, form, MAKERS[form](folder, inputs, outputs), inputs, outputs)


def _onnx(folder: Path, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> str:
    from onnx import helper

    pairs = zip(inputs, outputs, strict=True)
    nodes = [helper.make_node("Identity", [source.name], [target.name]) for source, target in pairs]
    tiny.save_onnx(folder, nodes, inputs, outputs, [])
    return "model.onnx"


def _torchscript(folder: Path, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> str:  # noqa: ARG001
    import torch

    torch.jit.trace(_torch_module(), _examples(inputs)).save(str(folder / "model.pt"))
    return "model.pt"


def _torch_export(folder: Path, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> str:  # noqa: ARG001
    import torch

    torch.export.save(_torch_program(inputs), folder / "model.pt2")
    return "model.pt2"


def _aot_inductor(folder: Path, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> str:  # noqa: ARG001
    tiny.compile_native(_torch_program(inputs), folder / "model.pt2")
    return "model.pt2"


def _savedmodel(folder: Path, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> str:
    import tensorflow as tf

    strings = {"object": tf.string}
    specs = {t.name: tf.TensorSpec([None], strings.get(t.dtype, t.dtype), name=t.name) for t in inputs}

    @tf.function  # type: ignore[untyped-decorator]
    def serve(**tensors: Any) -> dict[str, Any]:
        pairs = zip(inputs, outputs, strict=True)
        return {target.name: tf.identity(tensors[source.name]) for source, target in pairs}

    module = tf.Module()
    tf.saved_model.save(module, str(folder / "model"), signatures=serve.get_concrete_function(**specs))
    return "model"


def _tflite(folder: Path, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> str:
    import tensorflow as tf

    _savedmodel(folder, inputs, outputs)
    content = tf.lite.TFLiteConverter.from_saved_model(str(folder / "model")).convert()
    (folder / "model.tflite").write_bytes(content)
    shutil.rmtree(folder / "model")
    return "model.tflite"


def _torch_module() -> Any:
    import torch

    class Echo(torch.nn.Module):  # type: ignore[misc]
        def forward(self, *tensors: Any) -> Any:
            return tuple(tensor.clone() for tensor in tensors)

    return Echo()


def _torch_program(inputs: tuple[Tensor, ...]) -> Any:
    import torch

    size = torch.export.Dim("n", min=1, max=1024)
    shapes = (tuple({0: size} for _ in inputs),)
    return torch.export.export(_torch_module(), _examples(inputs), dynamic_shapes=shapes)


def _examples(inputs: tuple[Tensor, ...]) -> Any:
    import torch

    return tuple(torch.zeros(3, dtype=getattr(torch, tensor.dtype)) for tensor in inputs)


MAKERS: dict[str, Callable[[Path, tuple[Tensor, ...], tuple[Tensor, ...]], str]] = {
    "onnx": _onnx,
    "torchscript": _torchscript,
    "torch_export": _torch_export,
    "aot_inductor": _aot_inductor,
    "savedmodel": _savedmodel,
    "tflite": _tflite,
}
