"""What tf2onnx cannot convert by itself."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from models.pair import HardCase, Tensors, TensorSpec
from pipelines.formats import _onnx_tensorflow


def test_exact_gelu_answers_right(tmp_path: Path) -> None:
    import onnxruntime

    x = np.linspace(-4, 4, 33, dtype=np.float32).reshape(3, 11)
    _onnx_tensorflow.write(gelu({"x": x}), tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (y,) = session.run(["y"], {"x": x})
    expected = [0.5 * value * (1 + math.erf(value / math.sqrt(2))) for value in x.ravel().tolist()]
    np.testing.assert_allclose(y.ravel(), expected, atol=1e-6)


def gelu(inputs: Tensors) -> HardCase:
    def twin() -> Any:
        import keras

        x = keras.Input((11,), name="x")
        return keras.Model({"x": x}, {"y": keras.ops.gelu(x, approximate=False)})

    return HardCase(
        name="gelu",
        summary="exact GELU",
        feature="Erfc",
        inputs=(TensorSpec("x", "float32", ("batch", 11)),),
        outputs=(TensorSpec("y", "float32", ("batch", 11)),),
        axes={"batch": (1, 8)},
        torch_module=None,
        keras_model=twin,
        parity_inputs=lambda: [inputs],
    )
